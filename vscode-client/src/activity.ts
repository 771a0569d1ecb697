// What the status tooltip tells of the last requests: how long they took, and how many cost no model call.

import type { ExplainResult } from "./protocol";

export interface Activity {
  readonly lastMs: number;
  readonly shown: number;
  /** Of those shown, the share that came from the cache: 0 to 1. */
  readonly cached: number;
}

/** Undefined where nothing was shown yet. */
export function activityOf(account: ExplainResult): Activity | undefined {
  const shown = account.requests.filter((request) => request["outcome"] === "shown");
  const last = shown[0];
  if (last === undefined) {
    return undefined;
  }
  const cached = shown.filter((request) => request["reason"] === "cache").length;
  return { lastMs: Number(last["total_ms"]), shown: shown.length, cached: cached / shown.length };
}
