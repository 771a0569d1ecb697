// Suggestions put off for a while: five minutes, an hour, or until the window is closed.

import * as vscode from "vscode";

const MINUTE_MS = 60_000;

export class Pause implements vscode.Disposable {
  private until = 0; // milliseconds since 1970
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly onChange: () => void) {}

  get active(): boolean {
    return Date.now() < this.until;
  }

  /** When it ends, in words; empty where there is no pause. */
  get end(): string {
    if (!this.active) {
      return "";
    }
    return this.until === Infinity ? "until this window is closed" : `until ${new Date(this.until).toLocaleTimeString()}`;
  }

  /** Ask how long; while it is paused, go on. */
  async choose(): Promise<void> {
    if (this.active) {
      this.set(0);
      return;
    }
    const choices = [
      { label: "5 minutes", milliseconds: 5 * MINUTE_MS },
      { label: "1 hour", milliseconds: 60 * MINUTE_MS },
      { label: "Until this window is closed", milliseconds: Infinity },
    ];
    const chosen = await vscode.window.showQuickPick(choices, { title: "Footnote: no suggestions for" });
    if (chosen !== undefined) {
      this.set(Date.now() + chosen.milliseconds);
    }
  }

  dispose(): void {
    clearTimeout(this.timer);
  }

  private set(until: number): void {
    clearTimeout(this.timer);
    this.until = until;
    if (this.active && until !== Infinity) {
      this.timer = setTimeout(() => this.onChange(), until - Date.now());
    }
    this.onChange();
  }
}
