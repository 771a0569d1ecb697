"""textDocument/completion: the same suggestion as one item of a menu, where there is no ghost text."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING

from lsprotocol import types

from lsp_server import ahead, citations, convert, protocol
from lsp_server.asks import ask_at
from lsp_server.documents import Place, body
from lsp_server.suggestions import suggest

if TYPE_CHECKING:
    from lsp_server.cache import Suggestion
    from lsp_server.session import Session

OPTIONS = types.CompletionOptions(trigger_characters=[".", "(", "[", "{", ":", ",", "=", " "])
_WORD = re.compile(r"\w*\Z")
_INDENTATION = re.compile(r"[ \t]*")
_LONGEST_LABEL = 60


async def answer(session: Session, params: types.CompletionParams) -> types.CompletionList | None:
    document = session.documents.get(params.text_document.uri)
    if document is None:
        return None
    place = convert.place_of(document.lines, params.position, session.encoding)
    # Editors without ghost text ask by themselves while somebody types, whatever kind they name.
    entry = session.trace.begin(
        file=document.shown_path,
        language=document.language,
        line=place.line + 1,
        trigger="automatic",
    )
    line = body(document.lines[place.line])
    offset = document.offset(place)
    ask = ask_at(document, offset, automatic=True)
    suggestions = await suggest(session, ask, entry)
    if not suggestions:
        ahead.unanswered(session, ask, entry, offset)
        return None
    suggestion = suggestions[0]
    ahead.shown(session, ask, suggestion)
    word = _WORD.findall(line[: place.index])[0]
    text, mode = word + suggestion.text, types.InsertTextMode.AsIs
    if session.client.indents_completions:
        text = relative(text, _INDENTATION.findall(line)[0])
        mode = types.InsertTextMode.AdjustIndentation
        if not text:
            return None
    start = Place(0, place.index - len(word))
    end = Place(0, min(place.index + suggestion.replace_after, len(line)))
    found = convert.range_of([line], start, end, session.encoding)
    found.start.line = found.end.line = place.line
    item = _item(suggestion, types.TextEdit(found, text), mode, markdown=session.client.markdown)
    # Incomplete: the next character must bring a new question, for the answer depends on it.
    return types.CompletionList(is_incomplete=True, items=[item])


def relative(text: str, indentation: str) -> str:
    """The text for an editor that puts the indentation before every line but the first by itself.

    A line that is indented less cannot be told so: the text ends before it.
    """
    first, *rest = text.split("\n")
    told = takewhile(lambda line: line.startswith(indentation) or not line.strip(), rest)
    return "\n".join([first, *(line.removeprefix(indentation) for line in told)]).rstrip()


def _item(
    suggestion: Suggestion, edit: types.TextEdit, mode: types.InsertTextMode, *, markdown: bool
) -> types.CompletionItem:
    text = edit.new_text
    first, _, rest = text.partition("\n")
    label = first.strip() or text.strip().partition("\n")[0]
    if rest or len(label) > _LONGEST_LABEL:
        label = label[:_LONGEST_LABEL].rstrip() + " …"
    cited = citations.badge(suggestion.matches) if suggestion.matches else ""
    return types.CompletionItem(
        label=label,
        label_details=types.CompletionItemLabelDetails(description=cited or "Footnote"),
        # Not Snippet, of however many lines: Helix expands such a text, and Sublime may leave it out.
        kind=types.CompletionItemKind.Text,
        detail=cited or "Footnote",
        documentation=_documentation(text, suggestion, markdown=markdown),
        preselect=True,
        sort_text="\x20",
        filter_text=first,
        insert_text_format=types.InsertTextFormat.PlainText,
        insert_text_mode=mode,
        text_edit=edit,
        command=types.Command(
            title="Completion accepted",
            command=protocol.COMMAND_ACCEPTED,
            arguments=[suggestion.id],
        ),
    )


def _documentation(
    text: str, suggestion: Suggestion, *, markdown: bool
) -> types.MarkupContent | None:
    cited = "\n".join(citations.headline(match) for match in suggestion.matches)
    if not (cited or "\n" in text):
        return None
    if not markdown:
        return types.MarkupContent(types.MarkupKind.PlainText, f"{text}\n\n{cited}".rstrip())
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text) or [""]))
    return types.MarkupContent(
        types.MarkupKind.Markdown, f"{fence}\n{text}\n{fence}\n\n{cited}".rstrip()
    )
