// Read-only texts: excerpts to compare, accounts to read. They are closed without a question.

import * as vscode from "vscode";

const SCHEME = "footnote-page";

export class Pages implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly texts = new Map<string, string>();
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  private readonly registered = vscode.workspace.registerTextDocumentContentProvider(SCHEME, this);
  readonly onDidChange = this.changed.event;

  /** The address of a text. One `key` has one address, and shows what it was given last. */
  put(name: string, key: string, text: string): vscode.Uri {
    const uri = vscode.Uri.from({ scheme: SCHEME, path: `/${name}`, query: key });
    this.texts.set(uri.toString(), text);
    this.changed.fire(uri);
    return uri;
  }

  /** Some lines, from 1 and the last included, of a document. */
  async excerpt(address: string, first: number, last: number): Promise<vscode.Uri> {
    const uri = vscode.Uri.parse(address);
    const document = await vscode.workspace.openTextDocument(uri);
    const end = document.lineAt(Math.min(last, document.lineCount) - 1).range.end;
    const lines = new vscode.Range(new vscode.Position(first - 1, 0), end);
    return this.put(uri.path.split("/").pop() ?? address, `${address}#${first}-${last}`, document.getText(lines));
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.texts.get(uri.toString()) ?? "";
  }

  dispose(): void {
    vscode.Disposable.from(this.registered, this.changed).dispose();
  }
}
