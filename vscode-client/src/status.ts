// The one status bar item: starting, ready, busy, off, in trouble.

import * as vscode from "vscode";

import type { Status } from "./protocol";

export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem("footnote", vscode.StatusBarAlignment.Right, 100);

  constructor(command: string) {
    this.item.name = "Footnote";
    this.item.command = command;
    this.show({ kind: "Normal", busy: true, message: "Footnote is starting" });
    this.item.show();
  }

  show(status: Status): void {
    this.item.text = `${icon(status)} Footnote`;
    this.item.tooltip = status.message === "" ? "Footnote is ready" : status.message;
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
    case "Normal":
      return "$(quote)";
    case "Inactive":
      return "$(circle-slash)";
    case "Warning":
      return "$(warning)";
    case "Error":
      return "$(error)";
  }
}

function background(status: Status): vscode.ThemeColor | undefined {
  switch (status.kind) {
    case "Error":
      return new vscode.ThemeColor("statusBarItem.errorBackground");
    case "Warning":
      return new vscode.ThemeColor("statusBarItem.warningBackground");
    default:
      return undefined;
  }
}
