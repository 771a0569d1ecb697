// Mirror of lsp_server/protocol.py: the messages that the protocol does not have.

export const STATUS = "footnote/status";

export interface Status {
  busy: boolean;
  kind: "Normal" | "Warning" | "Error" | "Inactive";
  message: string;
}
