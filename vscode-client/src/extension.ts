// Footnote in VS Code: starts the server, shows its state, offers what can be asked for.

import * as vscode from "vscode";

import { activityOf } from "./activity";
import { Client } from "./client";
import * as commands from "./commands";
import { Environment } from "./environment";
import { MatchesView } from "./matches";
import { Pages } from "./pages";
import { Pause } from "./pause";
import type { PassageMatch } from "./protocol";
import { StatusItem } from "./status";

const REFRESH_MS = 2_000; // the tooltip is read by people

let client: Client | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel("Footnote", { log: true });
  const environment = new Environment(context);
  const pause = new Pause(() => status.refresh());
  const status = new StatusItem("footnote.menu", () => pause.end);
  const running = new Client(context, log, languagesOf(context), environment, pause, (state) => status.show(state));
  client = running;
  const pages = new Pages();
  const matches = new MatchesView(running, pages);
  const offer = (name: string, run: (argument: never) => unknown): vscode.Disposable =>
    vscode.commands.registerCommand(`footnote.${name}`, run);
  context.subscriptions.push(
    log,
    status,
    pause,
    pages,
    matches,
    offer("restart", () => running.restart()),
    offer("setUp", () => commands.setUp(environment, running, log)),
    offer("fetchCorpus", () => commands.fetchCorpus(running)),
    offer("toggle", () => commands.toggle(vscode.ConfigurationTarget.Global)),
    offer("toggleHere", () => commands.toggle(vscode.ConfigurationTarget.Workspace)),
    offer("toggleLanguage", () => commands.toggleLanguage()),
    offer("snooze", () => commands.snooze(pause)),
    offer("showMatches", () => vscode.commands.executeCommand("footnote.matches.focus")),
    offer("compare", (match: PassageMatch) => matches.compare(match)),
    offer("refreshMatches", () => matches.refresh()),
    offer("explainLast", () => commands.explain(running, pages)),
    offer("selfTest", () => commands.selfTest(running)),
    offer("openLog", () => log.show()),
    offer("menu", () => commands.menu()),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration("footnote.serverPath")) {
        void running.restart();
      }
    }),
    vscode.languages.onDidChangeDiagnostics(() => status.refresh()),
    vscode.window.onDidChangeActiveTextEditor(() => status.refresh()),
    keepTelling(running, status),
  );
  void running.restart();
}

export async function deactivate(): Promise<void> {
  await client?.stop();
}

/** The tooltip's account of the last requests, some time after something was typed. */
function keepTelling(running: Client, status: StatusItem): vscode.Disposable {
  let timer: NodeJS.Timeout | undefined;
  const tell = async (): Promise<void> => {
    timer = undefined;
    const account = await running.explain().catch(() => undefined);
    status.tell(account === undefined ? undefined : activityOf(account));
  };
  const watched = vscode.workspace.onDidChangeTextDocument(() => {
    timer ??= setTimeout(() => void tell(), REFRESH_MS);
  });
  return new vscode.Disposable(() => {
    watched.dispose();
    clearTimeout(timer);
  });
}

/** The languages of package.json's activation events: one list, in one place. */
function languagesOf(context: vscode.ExtensionContext): string[] {
  const manifest = context.extension.packageJSON as { activationEvents: string[] };
  const prefix = "onLanguage:";
  return manifest.activationEvents
    .filter((event) => event.startsWith(prefix))
    .map((event) => event.slice(prefix.length));
}
