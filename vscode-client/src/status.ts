// The one status bar item: being set up, loading, ready, paused, off, in trouble.

import * as vscode from "vscode";

import type { Activity } from "./activity";
import { DIAGNOSTIC_SOURCE, ERROR, INACTIVE, WARNING, type StatusParams } from "./protocol";

/** What the extension itself can say before the server speaks. */
export type Status = Pick<StatusParams, "busy" | "kind" | "message"> & Partial<StatusParams>;

export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem("footnote", vscode.StatusBarAlignment.Right, 100);
  private status: Status = { kind: INACTIVE, busy: false, message: "Footnote is not running" };
  private activity: Activity | undefined;

  /** `pausedUntil` says in words when a pause ends, and nothing where there is none. */
  constructor(
    command: string,
    private readonly pausedUntil: () => string,
  ) {
    this.item.name = "Footnote";
    this.item.command = command;
    this.item.show();
  }

  show(status: Status): void {
    this.status = status;
    this.refresh();
  }

  tell(activity: Activity | undefined): void {
    this.activity = activity;
    this.refresh();
  }

  refresh(): void {
    const paused = this.pausedUntil();
    const quiet = paused !== "" && !this.status.busy && this.status.kind !== ERROR;
    this.item.text = `${quiet ? "$(debug-pause)" : icon(this.status)} Footnote`;
    this.item.tooltip = [
      ...(paused === "" ? [] : [`Paused ${paused}`]),
      ...stateOf(this.status),
      ...requestsOf(this.activity),
      ...matchesHere(),
    ].join("\n");
    this.item.backgroundColor = background(this.status);
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

function stateOf({ message, model, index }: Status): string[] {
  const lines = [message.startsWith("Footnote") ? message : `Footnote: ${message}`];
  if (model !== undefined) {
    const millions = (model.parameters / 1e6).toFixed(1);
    const known = model.parameters > 0 ? `, ${model.name}, ${millions} M parameters, ${model.device}` : "";
    lines.push(`Model: ${model.state}${known}`);
  }
  if (index !== undefined) {
    const known = index.packages > 0 ? `, ${index.packages} packages (${index.selection})` : "";
    lines.push(`Index: ${index.state}${known}`);
  }
  return lines;
}

function requestsOf(activity: Activity | undefined): string[] {
  if (activity === undefined) {
    return [];
  }
  const share = Math.round(100 * activity.cached);
  return [`Last suggestion: ${activity.lastMs.toFixed(0)} ms; of the last ${activity.shown}, ${share}% from the cache`];
}

function matchesHere(): string[] {
  const document = vscode.window.activeTextEditor?.document;
  if (document === undefined) {
    return [];
  }
  const marks = vscode.languages.getDiagnostics(document.uri).filter((each) => each.source === DIAGNOSTIC_SOURCE);
  return [`Matches in this file: ${marks.length}`];
}
