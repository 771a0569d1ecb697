// Generated from lsp_server/protocol.py by tests/house/test_client.py.

export const STATUS = "$/footnote/status";
export const EXPLAIN = "footnote/explain";
export const CURSOR = "footnote/cursor";
export const MATCHES = "footnote/matches";
export const SOURCE_SCHEME = "footnote-source";
export const COMMAND_ACCEPTED = "footnote.accepted";
export const COMMAND_EXPLAIN = "footnote.explain";
export const COMMAND_RESTART = "footnote.restartModel";
export const COMMAND_OPEN_SOURCE = "footnote.openSource";
export const COMMAND_IGNORE = "footnote.ignoreMatch";
export const COMMAND_REGENERATE = "footnote.regenerate";
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

/** The passages whose sources are under one licence. */
export interface LicenceMatches {
  licence: string;
  licenceClass: string;
  packages: PackageMatches[];
}

/** All near-verbatim passages of the open documents, by licence and package. */
export interface MatchesResult {
  licences: LicenceMatches[];
}

/** The model behind the suggestions. */
export interface ModelStatus {
  state: string;
  name: string;
  device: string;
  parameters: number;
}

/** The passages that are nearest to text of one package. */
export interface PackageMatches {
  package: string;
  version: string;
  url: string;
  matches: PassageMatch[];
}

/** A near-verbatim passage of an open document; lines are 1-based and inclusive. */
export interface PassageMatch {
  id: string;
  uri: string;
  startLine: number;
  endLine: number;
  tier: string;
  kind: string;
  similarity: number;
  matchedTokens: number;
  path: string;
  sourceUri: string;
  sourceStartLine: number;
  sourceEndLine: number;
}

/** What a status bar shows. `busy` ends once model and index are there, or known not to be. */
export interface StatusParams {
  busy: boolean;
  kind: string;
  message: string;
  model: ModelStatus;
  index: IndexStatus;
}
