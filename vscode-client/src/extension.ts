// Footnote in VS Code: starts the server, shows its state, offers four commands.

import * as vscode from "vscode";

import { Client } from "./client";
import type { ExplainResult } from "./protocol";
import { StatusItem } from "./status";

let client: Client | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel("Footnote", { log: true });
  const status = new StatusItem("footnote.menu");
  client = new Client(context, log, languagesOf(context), (state) => status.show(state));
  const running = client;
  context.subscriptions.push(
    log,
    status,
    vscode.commands.registerCommand("footnote.restart", () => running.restart()),
    vscode.commands.registerCommand("footnote.toggle", toggle),
    vscode.commands.registerCommand("footnote.explainLast", () => explain(running)),
    vscode.commands.registerCommand("footnote.openLog", () => log.show()),
    vscode.commands.registerCommand("footnote.menu", menu),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration("footnote.serverPath")) {
        void running.restart();
      }
    }),
  );
  void running.restart();
}

export async function deactivate(): Promise<void> {
  await client?.stop();
}

/** The languages of package.json's activation events: one list, in one place. */
function languagesOf(context: vscode.ExtensionContext): string[] {
  const manifest = context.extension.packageJSON as { activationEvents: string[] };
  const prefix = "onLanguage:";
  return manifest.activationEvents
    .filter((event) => event.startsWith(prefix))
    .map((event) => event.slice(prefix.length));
}

async function toggle(): Promise<void> {
  const settings = vscode.workspace.getConfiguration("footnote");
  const enabled = settings.get<boolean>("enabled", true);
  await settings.update("enabled", !enabled, vscode.ConfigurationTarget.Global);
  vscode.window.setStatusBarMessage(`Footnote is ${enabled ? "off" : "on"}`, 3000);
}

async function explain(running: Client): Promise<void> {
  const content = await running.explain().then(
    (account) => (account === undefined ? "# Footnote's server is not running.\n" : accountOf(account)),
    (error: unknown) => `# Footnote's server did not answer: ${String(error)}\n`,
  );
  const document = await vscode.workspace.openTextDocument({ content, language: "yaml" });
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

async function menu(): Promise<void> {
  const entries = [
    { label: "$(circle-slash) Turn on or off", command: "footnote.toggle" },
    { label: "$(question) Why no suggestion?", command: "footnote.explainLast" },
    { label: "$(debug-restart) Restart the server", command: "footnote.restart" },
    { label: "$(output) Open the log", command: "footnote.openLog" },
  ];
  const chosen = await vscode.window.showQuickPick(entries, { title: "Footnote" });
  if (chosen !== undefined) {
    await vscode.commands.executeCommand(chosen.command);
  }
}
