// Makes the server's private environment from the package that the extension carries, once for each version.

import { createHash } from "node:crypto";
import { execFile, spawn } from "node:child_process";
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";

import * as vscode from "vscode";

const windows = process.platform === "win32";
const CPU_TORCH = "https://download.pytorch.org/whl/cpu";
const OLDEST = [3, 11];

/** Where the environment of this version of the extension is, or will be. */
export class Environment {
  /** The package of the server; the repository itself, which carries none, has its own `.venv`. */
  private readonly carried: string;
  private readonly folder: string;

  constructor(private readonly context: vscode.ExtensionContext) {
    this.carried = join(context.extensionPath, "out", "server", "footnote.tar.gz");
    const name = existsSync(this.carried) ? digest(this.carried).slice(0, 12) : "none";
    this.folder = join(context.globalStorageUri.fsPath, `server-${name}`);
  }

  /** Whether this extension carries a server to set up. */
  get possible(): boolean {
    return existsSync(this.carried);
  }

  /** The interpreter of the finished environment; undefined before. */
  get python(): string | undefined {
    return existsSync(this.mark) ? this.interpreter : undefined;
  }

  /** Make it, with progress. What was begun before is gone on with. Throws an Error that says what to do. */
  async make(log: vscode.LogOutputChannel): Promise<void> {
    const work = async (
      progress: vscode.Progress<{ message?: string }>,
      token: vscode.CancellationToken,
    ): Promise<void> => {
      const say = (message: string): void => progress.report({ message });
      say("looking for Python");
      const python = await findPython();
      await mkdir(dirname(this.folder), { recursive: true });
      const run = (args: string[]): Promise<void> => follow(this.interpreter, args, { log, say, token });
      if (!existsSync(this.interpreter)) {
        await follow(python[0], [...python.slice(1), "-m", "venv", this.folder], { log, say, token });
      }
      await this.installTorch(run);
      await run(["-m", "pip", ...this.pipOptions(), `${this.carried}[curate,openvino]`]);
      writeFileSync(this.mark, "");
      this.removeOthers(log);
    };
    const title = "Footnote: setting up the server";
    const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
    await vscode.window.withProgress(options, work);
  }

  private get interpreter(): string {
    return join(this.folder, ...(windows ? ["Scripts", "python.exe"] : ["bin", "python"]));
  }

  /** Written last: an environment without it was begun and not finished. */
  private get mark(): string {
    return join(this.folder, "ready");
  }

  private get constraints(): string {
    return join(this.context.extensionPath, "out", "server", "constraints.txt");
  }

  private pipOptions(): string[] {
    const plain = ["--disable-pip-version-check", "--no-input", "install", "--progress-bar", "off"];
    return [...plain, "-c", this.constraints];
  }

  /** Without an accelerator the build of torch for the CPU: the other one brings 3 GB of libraries along. */
  private async installTorch(run: (args: string[]) => Promise<void>): Promise<void> {
    if (process.platform !== "linux" || process.arch !== "x64" || (await answers("nvidia-smi", []))) {
      return;
    }
    const pin = /^torch==\S+/m.exec(readFileSync(this.constraints, "utf8"))?.[0];
    if (pin === undefined) {
      return;
    }
    for (const where of [[], ["--extra-index-url", CPU_TORCH]]) {
      try {
        await run(["-m", "pip", ...this.pipOptions(), "--retries", "1", ...where, `${pin}+cpu`]);
        return;
      } catch (error: unknown) {
        if (error instanceof vscode.CancellationError) {
          throw error;
        }
      }
    }
  }

  private removeOthers(log: vscode.LogOutputChannel): void {
    const parent = dirname(this.folder);
    for (const name of readdirSync(parent)) {
      if (name.startsWith("server-") && name !== basename(this.folder)) {
        log.info(`Removing the environment of another version: ${name}`);
        rmSync(join(parent, name), { recursive: true, force: true });
      }
    }
  }
}

interface Watcher {
  readonly log: vscode.LogOutputChannel;
  readonly say: (message: string) => void;
  readonly token: vscode.CancellationToken;
}

/** Run a program to its end; its lines go to the log, what it collects to the progress. */
function follow(command: string, args: string[], { log, say, token }: Watcher): Promise<void> {
  log.info(`Running ${command} ${args.join(" ")}`);
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    const cancelled = token.onCancellationRequested(() => child.kill());
    let last = "";
    const read = (chunk: Buffer): void => {
      for (const line of chunk.toString().split(/\r?\n/).filter((each) => each.trim() !== "")) {
        log.info(line);
        last = line;
        const collected = /^(?:Collecting|Downloading) (\S+)/.exec(line.trim());
        if (collected?.[1] !== undefined) {
          say(`fetching ${basename(collected[1])}`);
        } else if (line.startsWith("Installing collected packages")) {
          say("installing what was fetched");
        }
      }
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.on("error", reject);
    child.on("close", (code) => {
      cancelled.dispose();
      if (token.isCancellationRequested) {
        reject(new vscode.CancellationError());
      } else if (code === 0) {
        resolve();
      } else {
        reject(new Error(`${basename(command)} ended with ${String(code)}: ${last}`));
      }
    });
  });
}

/** A command that starts a Python that is recent enough and can make environments. */
async function findPython(): Promise<[string, ...string[]]> {
  const names: [string, ...string[]][] = windows
    ? [["py", "-3"], ["python"]]
    : [["python3"], ["python3.14"], ["python3.13"], ["python3.12"], ["python3.11"]];
  const test = `import sys, venv, ensurepip; sys.exit(sys.version_info < (${OLDEST.join(", ")}))`;
  for (const name of names) {
    if (await answers(name[0], [...name.slice(1), "-c", test])) {
      return name;
    }
  }
  throw new Error(
    `Python ${OLDEST.join(".")} or newer, with its venv module, is needed. Debian: apt-get install python3 python3-venv`,
  );
}

async function answers(command: string, args: string[]): Promise<boolean> {
  return promisify(execFile)(command, args).then(
    () => true,
    () => false,
  );
}

function digest(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}
