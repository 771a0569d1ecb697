// Builds, starts and restarts the language client; one change at a time.

import * as vscode from "vscode";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  State,
  type ErrorHandler,
  type LanguageClientOptions,
} from "vscode-languageclient/node";

import type { Environment } from "./environment";
import type { Pause } from "./pause";
import {
  COMMAND_REGENERATE,
  CURSOR,
  ERROR,
  EXPLAIN,
  INACTIVE,
  MATCHES,
  NORMAL,
  STATUS,
  type ExplainResult,
  type MatchesResult,
  type StatusParams,
} from "./protocol";
import { findServer, type ServerCommand } from "./server";
import type { Status } from "./status";

/** How long to wait before the server is started again, by how often it has ended of late. */
const WAITS_MS = [1_000, 4_000, 16_000];
const OF_LATE_MS = 180_000;

export class Client implements vscode.Disposable {
  private client: LanguageClient | undefined;
  private endings: number[] = []; // when the server ended by itself
  private readonly settling = new vscode.EventEmitter<StatusParams>();
  private queue: Promise<void> = Promise.resolve();
  private readonly watched: vscode.Disposable;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
    private readonly languages: readonly string[],
    private readonly environment: Environment,
    private readonly pause: Pause,
    private readonly onStatus: (status: Status) => void,
  ) {
    this.watched = vscode.Disposable.from(
      vscode.window.onDidChangeTextEditorSelection(({ textEditor }) => this.tellCursor(textEditor)),
      vscode.window.onDidChangeActiveTextEditor((editor) => this.tellCursor(editor)),
    );
  }

  /** Start the server, ending the one that runs. Calls wait for each other and never overlap. */
  restart(): Promise<void> {
    this.endings = [];
    return this.enqueue(async () => {
      await this.end();
      await this.begin();
    });
  }

  /** The first status that is no more about loading. */
  settled(): Promise<StatusParams> {
    return new Promise((resolve) => {
      const waiting = this.settling.event((status) => {
        waiting.dispose();
        resolve(status);
      });
    });
  }

  /** How the server is started; undefined where there is none. */
  get server(): ServerCommand | undefined {
    return findServer(this.context, this.environment);
  }

  stop(): Promise<void> {
    return this.enqueue(() => this.end());
  }

  /** The server's account of the last requests; undefined when no server runs. */
  async explain(): Promise<ExplainResult | undefined> {
    return this.client?.state === State.Running ? this.client.sendRequest<ExplainResult>(EXPLAIN, {}) : undefined;
  }

  /** The marked passages of all open documents; undefined when no server runs. */
  async matches(): Promise<MatchesResult | undefined> {
    return this.client?.state === State.Running ? this.client.sendRequest<MatchesResult>(MATCHES, {}) : undefined;
  }

  dispose(): void {
    this.watched.dispose();
    this.settling.dispose();
    void this.stop();
  }

  /** Say where the cursor is: the model reads the text around it while nothing is asked. */
  private tellCursor(editor: vscode.TextEditor | undefined): void {
    const client = this.client;
    if (client?.state !== State.Running || editor === undefined || !mayComplete(editor.document)) {
      return;
    }
    if (vscode.languages.match(this.selector(), editor.document) === 0) {
      return;
    }
    const convert = client.code2ProtocolConverter;
    void client.sendNotification(CURSOR, convert.asTextDocumentPositionParams(editor.document, editor.selection.active));
  }

  private selector(): { language: string; scheme: string }[] {
    return this.languages.flatMap((language) => [
      { language, scheme: "file" },
      { language, scheme: "untitled" },
      { language, scheme: "vscode-notebook-cell" },
    ]);
  }

  private enqueue(change: () => Promise<void>): Promise<void> {
    this.queue = this.queue.then(change).catch((error: unknown) => {
      this.log.error(`The server did not start: ${String(error)}`);
      this.onStatus({ kind: ERROR, busy: false, message: "Footnote did not start; open its log" });
    });
    return this.queue;
  }

  private async begin(): Promise<void> {
    const server = this.server;
    if (server === undefined) {
      // Not awaited: a message that nobody answers must not hold up the next restart.
      void this.sayWhatIsMissing();
      return;
    }
    this.log.info(`Starting ${server.command} ${server.args.join(" ")} (found by ${server.found})`);
    const { command, args, env } = server;
    const client = new LanguageClient("footnote", "Footnote", { command, args, options: { env } }, this.options());
    client.onNotification(STATUS, (status: StatusParams) => {
      this.onStatus(status);
      if (!status.busy) {
        this.settling.fire(status);
      }
    });
    // Once it runs the server speaks for itself.
    client.onDidChangeState(({ newState }) => {
      if (newState === State.Starting) {
        this.onStatus({ kind: NORMAL, busy: true, message: "Footnote is starting" });
      } else if (newState === State.Stopped) {
        this.onStatus({ kind: INACTIVE, busy: false, message: "Footnote is not running" });
      }
    });
    this.client = client;
    await client.start();
    this.tellCursor(vscode.window.activeTextEditor);
  }

  private async end(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    if (client !== undefined && client.needsStop()) {
      await client.stop();
    }
  }

  private options(): LanguageClientOptions {
    return {
      documentSelector: this.selector(),
      initializationOptions: () => vscode.workspace.getConfiguration("footnote"),
      outputChannel: this.log,
      synchronize: { configurationSection: "footnote" },
      // The server logs to stderr at every level; a line there is no error by itself.
      stdioOptions: { stdout: forward, stderr: forward },
      middleware: {
        provideInlineCompletionItems: (document, position, context, token, next) =>
          mayComplete(document) && !this.pause.active ? next(document, position, context, token) : null,
        executeCommand: async (command, args, next): Promise<unknown> => {
          const result: unknown = await next(command, args);
          if (command === COMMAND_REGENERATE && result) {
            // The matching text is gone and the cursor stands there: what is suggested now is another.
            await vscode.commands.executeCommand("editor.action.inlineSuggest.trigger");
          }
          return result;
        },
      },
      errorHandler: this.errorHandler(),
    };
  }

  /** A server that ends by itself is started again, each time later; one that keeps ending is left alone. */
  private errorHandler(): ErrorHandler {
    return {
      error: () => ({ action: ErrorAction.Continue }),
      closed: async () => {
        this.endings = [...this.endings.filter((at) => at > Date.now() - OF_LATE_MS), Date.now()];
        const wait = WAITS_MS[this.endings.length - 1];
        if (wait === undefined) {
          this.onStatus({ kind: ERROR, busy: false, message: "Footnote's server keeps ending; open its log, then restart it" });
          return { action: CloseAction.DoNotRestart, handled: true };
        }
        this.log.warn(`The server ended; it is started again in ${String(wait / 1000)} s`);
        await new Promise((resume) => setTimeout(resume, wait));
        return { action: CloseAction.Restart, handled: true };
      },
    };
  }

  private async sayWhatIsMissing(): Promise<void> {
    this.onStatus({ kind: ERROR, busy: false, message: "Footnote's server is not set up yet" });
    const setUp = "Set it up";
    const settings = "Open settings";
    const chosen = vscode.workspace.getConfiguration("footnote").get<string>("serverPath", "") !== "";
    const answer = await vscode.window.showErrorMessage(
      chosen
        ? "There is no server where footnote.serverPath says."
        : "Footnote needs its server: a private Python environment, about 1.5 GB, fetched once from PyPI.",
      ...(this.environment.possible && !chosen ? [setUp] : []),
      settings,
    );
    if (answer === settings) {
      await vscode.commands.executeCommand("workbench.action.openSettings", "footnote.serverPath");
    } else if (answer === setUp) {
      await vscode.commands.executeCommand("footnote.setUp");
    }
  }
}

/** Several cursors would all receive the same text, and a commit message box is no code. */
function mayComplete(document: vscode.TextDocument): boolean {
  if (document.uri.scheme === "vscode-scm") {
    return false;
  }
  const editor = vscode.window.activeTextEditor;
  return editor?.document !== document || editor.selections.length === 1;
}

function forward(input: NodeJS.ReadableStream, log: vscode.LogOutputChannel): void {
  let rest = "";
  input.on("data", (chunk: Buffer | string) => {
    const lines = (rest + chunk.toString()).split(/\r?\n/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      log.info(line);
    }
  });
}
