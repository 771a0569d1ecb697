// The one status bar item: starting, ready, busy, off, in trouble.

import * as vscode from "vscode";

import { ERROR, INACTIVE, WARNING, type StatusParams } from "./protocol";

/** What the extension itself can say before the server speaks. */
export type Status = Pick<StatusParams, "busy" | "kind" | "message"> & Partial<StatusParams>;

export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem("footnote", vscode.StatusBarAlignment.Right, 100);

  constructor(command: string) {
    this.item.name = "Footnote";
    this.item.command = command;
    this.item.show();
  }

  show(status: Status): void {
    this.item.text = `${icon(status)} Footnote`;
    this.item.tooltip = tooltip(status);
    this.item.backgroundColor = background(status);
  }

  dispose(): void {
    this.item.dispose();
  }
}

function icon(status: Status): string {
  if (status.busy) {
    return "$(loading~spin)";
  }
  switch (status.kind) {
    case ERROR:
      return "$(error)";
    case WARNING:
      return "$(warning)";
    case INACTIVE:
      return "$(circle-slash)";
    default:
      return "$(quote)";
  }
}

function background(status: Status): vscode.ThemeColor | undefined {
  switch (status.kind) {
    case ERROR:
      return new vscode.ThemeColor("statusBarItem.errorBackground");
    case WARNING:
      return new vscode.ThemeColor("statusBarItem.warningBackground");
    default:
      return undefined;
  }
}

function tooltip({ message, model, index }: Status): string {
  const lines = [message.startsWith("Footnote") ? message : `Footnote: ${message}`];
  if (model !== undefined) {
    const millions = (model.parameters / 1e6).toFixed(1);
    const known = model.parameters > 0 ? ` ${model.name}, ${millions} M parameters, ${model.device}` : "";
    lines.push(`Model: ${model.state}${known}`);
  }
  if (index !== undefined) {
    const known = index.packages > 0 ? `, ${index.packages} packages (${index.selection})` : "";
    lines.push(`Index: ${index.state}${known}`);
  }
  return lines.join("\n");
}
