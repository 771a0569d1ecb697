// What a person can ask for by name: on and off, a pause, an account, a check of the whole, the data.

import * as vscode from "vscode";

import type { Client } from "./client";
import type { Environment } from "./environment";
import type { Pages } from "./pages";
import type { ExplainResult } from "./protocol";
import type { Pause } from "./pause";

/** The entries of the menu behind the status bar item; each is a command of package.json, too. */
const MENU = [
  { label: "$(circle-slash) Turn on or off", command: "footnote.toggle" },
  { label: "$(code) Turn on or off for this language", command: "footnote.toggleLanguage" },
  { label: "$(root-folder) Turn on or off in this workspace", command: "footnote.toggleHere" },
  { label: "$(debug-pause) Pause or go on", command: "footnote.snooze" },
  { label: "$(law) Show matches in open files", command: "footnote.showMatches" },
  { label: "$(question) Why no suggestion?", command: "footnote.explainLast" },
  { label: "$(checklist) Check the installation", command: "footnote.selfTest" },
  { label: "$(cloud-download) Fetch the corpus, build the index", command: "footnote.fetchCorpus" },
  { label: "$(debug-restart) Restart the server", command: "footnote.restart" },
  { label: "$(output) Open the log", command: "footnote.openLog" },
];

export async function menu(): Promise<void> {
  const chosen = await vscode.window.showQuickPick(MENU, { title: "Footnote" });
  if (chosen !== undefined) {
    await vscode.commands.executeCommand(chosen.command);
  }
}

export async function toggle(target: vscode.ConfigurationTarget): Promise<void> {
  const settings = vscode.workspace.getConfiguration("footnote");
  const enabled = settings.get<boolean>("enabled", true);
  await settings.update("enabled", !enabled, target);
  const where = target === vscode.ConfigurationTarget.Workspace ? " in this workspace" : "";
  say(`Footnote is ${enabled ? "off" : "on"}${where}`);
}

export async function toggleLanguage(): Promise<void> {
  const language = vscode.window.activeTextEditor?.document.languageId;
  if (language === undefined) {
    say("Open a file first: its language is what is turned on or off");
    return;
  }
  const settings = vscode.workspace.getConfiguration("footnote");
  const languages = settings.get<Record<string, boolean>>("languages", {});
  const enabled = languages[language] ?? true;
  await settings.update("languages", { ...languages, [language]: !enabled }, vscode.ConfigurationTarget.Global);
  say(`Footnote is ${enabled ? "off" : "on"} for ${language}`);
}

export async function snooze(pause: Pause): Promise<void> {
  await pause.choose();
  say(pause.active ? `Footnote is paused ${pause.end}` : "Footnote goes on");
}

export async function setUp(
  environment: Environment,
  client: Client,
  log: vscode.LogOutputChannel,
): Promise<void> {
  if (!environment.possible) {
    void vscode.window.showErrorMessage("This build of the extension carries no server: `make vsix` packs one.");
    return;
  }
  try {
    await environment.make(log);
  } catch (error: unknown) {
    if (error instanceof vscode.CancellationError) {
      say("Footnote: the set-up was stopped; it goes on from there the next time");
      return;
    }
    log.error(String(error));
    const open = "Open the log";
    const reason = error instanceof Error ? error.message : String(error);
    if ((await vscode.window.showErrorMessage(`Footnote could not be set up: ${reason}`, open)) === open) {
      log.show();
    }
    return;
  }
  const settled = client.settled();
  await client.restart();
  if ((await settled).index.state !== "ready") {
    await fetchCorpus(client);
  }
}

/** `footnote doctor`, in a terminal of the editor. */
export function selfTest(client: Client): Promise<void> {
  return runTask(client, "Footnote: check the installation", ["doctor"]);
}

/** `footnote setup`, in a terminal of the editor; the server then opens what it built. */
export async function fetchCorpus(client: Client): Promise<void> {
  const choices = [
    { label: "A small part", detail: "35 MB to fetch, about a minute", args: ["setup", "--small"] },
    { label: "The whole corpus", detail: "2.5 GB of disk, about ten minutes", args: ["setup"] },
  ];
  const chosen = await vscode.window.showQuickPick(choices, { title: "Footnote: what to cite from" });
  if (chosen !== undefined) {
    await runTask(client, "Footnote: fetch the corpus, build the index", chosen.args);
    await client.restart();
  }
}

export async function explain(client: Client, pages: Pages): Promise<void> {
  const content = await client.explain().then(
    (account) => (account === undefined ? "# Footnote's server is not running.\n" : accountOf(account)),
    (error: unknown) => `# Footnote's server did not answer: ${String(error)}\n`,
  );
  const document = await vscode.workspace.openTextDocument(pages.put("Why no suggestion.yaml", "", content));
  await vscode.window.showTextDocument(document, { preview: true });
}

/** One block a request, newest first, as YAML: easy to read and to send along with a report. */
function accountOf(account: ExplainResult): string {
  if (account.requests.length === 0) {
    return "# Nothing was asked for yet: type in a file.\n";
  }
  const blocks = account.requests.map((request) =>
    Object.entries(request)
      .map(([name, value], at) => `${at === 0 ? "- " : "  "}${name}: ${JSON.stringify(value)}`)
      .join("\n"),
  );
  return `# The last requests for a suggestion, newest first.\n${blocks.join("\n")}\n`;
}

/** Run a command of the server's command line where its words can be read; resolves when it has ended. */
async function runTask(client: Client, name: string, args: string[]): Promise<void> {
  const server = client.server;
  if (server === undefined) {
    void vscode.window.showErrorMessage("Footnote's server is not set up yet.");
    return;
  }
  const { command, cli, env } = server;
  const settled = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const execution = new vscode.ProcessExecution(command, [...cli, ...args], { env: Object.fromEntries(settled) });
  const task = new vscode.Task({ type: "process" }, vscode.TaskScope.Workspace, name, "Footnote", execution, []);
  task.presentationOptions = { reveal: vscode.TaskRevealKind.Always, panel: vscode.TaskPanelKind.Dedicated };
  const running = await vscode.tasks.executeTask(task);
  await new Promise<void>((resolve) => {
    const ended = vscode.tasks.onDidEndTask((event) => {
      if (event.execution === running) {
        ended.dispose();
        resolve();
      }
    });
  });
}

function say(message: string): void {
  vscode.window.setStatusBarMessage(message, 4000);
}
