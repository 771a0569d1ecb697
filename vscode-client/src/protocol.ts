// Generated from lsp_server/protocol.py by tests/house/test_client.py.

export const STATUS = "footnote/status";
export const EXPLAIN = "footnote/explain";
export const CURSOR = "footnote/cursor";
export const SOURCE_SCHEME = "footnote-source";
export const COMMAND_ACCEPTED = "footnote.accepted";
export const COMMAND_EXPLAIN = "footnote.explain";
export const COMMAND_RESTART = "footnote.restartModel";
export const COMMAND_OPEN_SOURCE = "footnote.openSource";
export const DIAGNOSTIC_SOURCE = "footnote";
export const DIAGNOSTIC_CODE = "near-verbatim";
export const NORMAL = "Normal";
export const WARNING = "Warning";
export const ERROR = "Error";
export const INACTIVE = "Inactive";

/** The last 50 requests for a suggestion, newest first; holds no text of any document. */
export interface ExplainResult {
  requests: Record<string, unknown>[];
}

/** The attribution index, and whether it covers what the model was trained on. */
export interface IndexStatus {
  state: string;
  documents: number;
  packages: number;
  selection: string;
  belongs: string;
}

/** The model behind the suggestions. */
export interface ModelStatus {
  state: string;
  name: string;
  device: string;
  parameters: number;
}

/** What a status bar shows. `busy` ends once model and index are there, or known not to be. */
export interface StatusParams {
  busy: boolean;
  kind: string;
  message: string;
  model: ModelStatus;
  index: IndexStatus;
}
