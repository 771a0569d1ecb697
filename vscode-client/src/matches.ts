// The view of all near-verbatim passages of the open files, by licence and package; each beside its source.

import * as vscode from "vscode";

import type { Client } from "./client";
import type { Pages } from "./pages";
import type { LicenceMatches, PackageMatches, PassageMatch } from "./protocol";

const VIEW = "footnote.matches";
const REFRESH_MS = 300; // marks of several files change together

type Node = LicenceMatches | PackageMatches | PassageMatch;

export class MatchesView implements vscode.TreeDataProvider<Node>, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly parts: vscode.Disposable[];
  private timer: NodeJS.Timeout | undefined;
  readonly onDidChangeTreeData = this.changed.event;

  constructor(
    private readonly client: Client,
    private readonly pages: Pages,
  ) {
    this.parts = [
      vscode.window.registerTreeDataProvider(VIEW, this),
      vscode.languages.onDidChangeDiagnostics(() => {
        this.timer ??= setTimeout(() => this.refresh(), REFRESH_MS);
      }),
    ];
  }

  refresh(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.changed.fire();
  }

  async getChildren(node?: Node): Promise<Node[]> {
    if (node === undefined) {
      return this.client.matches().then(
        (result) => result?.licences ?? [],
        () => [], // a server that is going away has none to show
      );
    }
    if ("packages" in node) {
      return node.packages;
    }
    return "matches" in node ? node.matches : [];
  }

  getTreeItem(node: Node): vscode.TreeItem {
    if ("packages" in node) {
      return licenceItem(node);
    }
    return "matches" in node ? packageItem(node) : passageItem(node);
  }

  /** The passage and its source side by side, as excerpts. */
  async compare(match: PassageMatch): Promise<void> {
    const [source, copy] = await Promise.all([
      this.pages.excerpt(match.sourceUri, match.sourceStartLine, match.sourceEndLine),
      this.pages.excerpt(match.uri, match.startLine, match.endLine),
    ]);
    await vscode.commands.executeCommand("vscode.diff", source, copy, `${match.path} ↔ ${nameOf(match.uri)}`);
  }

  dispose(): void {
    clearTimeout(this.timer);
    vscode.Disposable.from(...this.parts, this.changed).dispose();
  }
}

function licenceItem(node: LicenceMatches): vscode.TreeItem {
  const item = new vscode.TreeItem(node.licence || "No known licence", vscode.TreeItemCollapsibleState.Expanded);
  item.iconPath = new vscode.ThemeIcon(node.licenceClass === "permissive" ? "law" : "warning");
  item.description = node.licenceClass;
  return item;
}

function packageItem(node: PackageMatches): vscode.TreeItem {
  const item = new vscode.TreeItem(`${node.package} ${node.version}`, vscode.TreeItemCollapsibleState.Expanded);
  item.iconPath = new vscode.ThemeIcon("package");
  item.tooltip = node.url;
  return item;
}

function passageItem(match: PassageMatch): vscode.TreeItem {
  const item = new vscode.TreeItem(`${nameOf(match.uri)}: lines ${match.startLine} to ${match.endLine}`);
  item.description = `${match.kind}, ${Math.round(100 * match.similarity)}%, ${match.path}`;
  item.iconPath = new vscode.ThemeIcon(match.tier === "warning" ? "warning" : "info");
  item.contextValue = "passage";
  const lines = new vscode.Range(match.startLine - 1, 0, match.endLine - 1, 0);
  const open = [vscode.Uri.parse(match.uri), { selection: lines } satisfies vscode.TextDocumentShowOptions];
  item.command = { title: "Show the passage", command: "vscode.open", arguments: open };
  return item;
}

function nameOf(uri: string): string {
  return vscode.Uri.parse(uri).path.split("/").pop() ?? uri;
}
