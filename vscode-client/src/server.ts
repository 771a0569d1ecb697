// Finds the server and composes the command that starts it, safe from what the workspace contains.

import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { basename, delimiter, join } from "node:path";

import * as vscode from "vscode";

import type { Environment } from "./environment";

export interface ServerCommand {
  readonly command: string;
  readonly args: string[];
  /** Arguments that make the same program the command line: `footnote ...`. */
  readonly cli: string[];
  readonly env: NodeJS.ProcessEnv;
  /** Where it was found, for the log. */
  readonly found: string;
}

const windows = process.platform === "win32";

/** The first of: the setting, our own environment, another private one, PATH. Undefined when there is none. */
export function findServer(context: vscode.ExtensionContext, own: Environment): ServerCommand | undefined {
  const chosen = vscode.workspace.getConfiguration("footnote").get<string>("serverPath", "").trim();
  if (chosen !== "") {
    const path = chosen.startsWith("~") ? join(homedir(), chosen.slice(1)) : chosen;
    return existsSync(path) ? commandFor(path, "footnote.serverPath") : undefined;
  }
  if (own.python !== undefined) {
    return commandFor(own.python, "the environment of this extension");
  }
  for (const python of privateEnvironments(context)) {
    if (existsSync(python)) {
      return commandFor(python, "private environment");
    }
  }
  const onPath = lookUp(windows ? "footnote.exe" : "footnote");
  return onPath === undefined ? undefined : commandFor(onPath, "PATH");
}

/** Interpreters of environments that hold Footnote and nothing of the user's: uv's and pipx's. */
function privateEnvironments(context: vscode.ExtensionContext): string[] {
  const data = windows
    ? (process.env["APPDATA"] ?? join(homedir(), "AppData", "Roaming"))
    : (process.env["XDG_DATA_HOME"] ?? join(homedir(), ".local", "share"));
  const environments = [
    join(data, "uv", "tools", "footnote"),
    join(process.env["PIPX_HOME"] ?? (windows ? join(homedir(), "pipx") : join(data, "pipx")), "venvs", "footnote"),
  ];
  if (context.extensionMode !== vscode.ExtensionMode.Production) {
    environments.unshift(join(context.extensionPath, "..", ".venv"));
  }
  const inside = windows ? ["Scripts", "python.exe"] : ["bin", "python"];
  return environments.map((environment) => join(environment, ...inside));
}

/**
 * Our package names are common words. An interpreter is started with -I, so that neither the
 * workspace, nor PYTHONPATH, nor the user's site-packages can put other modules in their place.
 */
function commandFor(path: string, found: string): ServerCommand {
  const env = { ...process.env, PYTHONSAFEPATH: "1", PYTHONNOUSERSITE: "1" };
  for (const name of ["PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP"]) {
    Reflect.deleteProperty(env, name);
  }
  const isInterpreter = /^python[\d.]*(\.exe)?$/i.test(basename(path));
  const args = isInterpreter ? ["-I", "-m", "lsp_server"] : ["serve"];
  const cli = isInterpreter ? ["-I", "-m", "lsp_server.footnote"] : [];
  return { command: path, args, cli, env, found };
}

function lookUp(name: string): string | undefined {
  return (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}
