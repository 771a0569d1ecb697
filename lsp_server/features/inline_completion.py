"""textDocument/inlineCompletion: a suggestion as ghost text, several for who asks, or null."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from lsp_server import ahead, citations, convert, protocol
from lsp_server.asks import ask_at
from lsp_server.documents import Document, Place, body
from lsp_server.suggestions import suggest

if TYPE_CHECKING:
    from lsp_server.cache import Suggestion
    from lsp_server.session import Session


async def answer(
    session: Session, params: types.InlineCompletionParams
) -> types.InlineCompletionList | None:
    document = session.documents.get(params.text_document.uri)
    if document is None:
        return None
    encoding = session.encoding
    place = convert.place_of(document.lines, params.position, encoding)
    automatic = params.context.trigger_kind == types.InlineCompletionTriggerKind.Automatic
    entry = session.trace.begin(
        file=document.shown_path,
        language=document.language,
        line=place.line + 1,
        trigger="automatic" if automatic else "invoked",
    )
    offset = document.offset(place)
    written = body(document.lines[place.line])[: place.index]
    popup = _popup(document, place, params.context.selected_completion_info, encoding)
    if popup is not None:
        if not popup.startswith(written):
            entry.end("nothing", "gated:popup")
            return None
        before = document.text[: offset - len(written)]
        ask = ask_at(document, offset, automatic=automatic, popup=before + popup)
        written = popup
    else:
        ask = ask_at(document, offset, automatic=automatic)
    # The range must be computed on the text as it is now.
    indent = len(written) - len(written.lstrip())
    start = Place(place.line, min(indent, place.index))
    lines = [*document.lines[place.line : place.line + 1]]
    suggestions = await suggest(session, ask, entry)
    if not suggestions:
        ahead.unanswered(session, ask, entry, offset)
        return None

    ahead.shown(session, ask, suggestions[0])

    def item(suggestion: Suggestion) -> types.InlineCompletionItem:
        end = Place(0, min(place.index + suggestion.replace_after, len(body(lines[0]))))
        found = convert.range_of(lines, Place(0, start.index), end, encoding)
        found.start.line = found.end.line = place.line
        return _item(suggestion, written[indent:], found)

    return types.InlineCompletionList([item(each) for each in suggestions])


def _popup(
    document: Document,
    place: Place,
    selected: types.SelectedCompletionInfo | None,
    encoding: str,
) -> str | None:
    """The line up to the cursor as the selected item of an open menu would make it."""
    if selected is None:
        return None
    start = convert.place_of(document.lines, selected.range.start, encoding)
    end = convert.place_of(document.lines, selected.range.end, encoding)
    if start.line != place.line or end != place:
        return None
    return body(document.lines[place.line])[: start.index] + selected.text


def _item(suggestion: Suggestion, written: str, found: types.Range) -> types.InlineCompletionItem:
    text = written + suggestion.text
    title = citations.badge(suggestion.matches) if suggestion.matches else "Completion accepted"
    return types.InlineCompletionItem(
        insert_text=text,
        filter_text=text,
        range=found,
        command=types.Command(
            title=title, command=protocol.COMMAND_ACCEPTED, arguments=[suggestion.id]
        ),
    )
