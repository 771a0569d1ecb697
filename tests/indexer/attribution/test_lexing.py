"""What counts as a token, and what formatting and renaming leave alone."""

from __future__ import annotations

import ast
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from indexer.attribution.families import PLAIN, family_of
from indexer.attribution.lexing import lexer_of
from indexer.attribution.tokens import NAME_ID, PROSE, STRING, Tokens, word_id
from indexer.languages import LANGUAGES
from tests.indexer.attribution.conftest import CLUSTER, QUEUE


def lexed(text: str, language: str = "python") -> Tokens:
    return lexer_of(language).tokens(text)


def written(text: str, language: str = "python") -> tuple[Tokens, list[str]]:
    """The tokens, and the code that is written at each ("" for prose)."""
    reading = lexer_of(language).read(text)
    words = reading.words(np.arange(len(reading.tokens)))
    prose = (reading.tokens.kinds == PROSE).tolist()
    return reading.tokens, ["" if each else word for word, each in zip(words, prose, strict=True)]


def code(text: str, language: str = "python") -> list[int]:
    tokens = lexed(text, language)
    return tokens.exact[tokens.kinds != PROSE].tolist()


def test_layout_quotes_and_comments_do_not_change_the_code() -> None:
    one = "def f(a, b):\n    # why\n    return g(a, 'x', [1, 2])\n"
    other = 'def f(\n  a,\n  b,\n):\n\n  return g(a, "x", [1, 2,]);\n'

    assert code(one) == code(other)


def test_what_ast_writes_back_is_the_same_code() -> None:
    again = ast.unparse(ast.parse(CLUSTER))

    same = len(set(code(CLUSTER)) & set(code(again))) / len(set(code(CLUSTER)))
    assert same > 0.98
    assert lexed(again).exact[lexed(again).kinds == PROSE].tolist() == list(
        lexed(CLUSTER).exact[lexed(CLUSTER).kinds == PROSE].tolist()
    )


@pytest.mark.parametrize("blank", ["\u00a0", "\u3000", "\u2003", "\u200b"])
def test_what_a_web_page_indents_with_is_a_blank(blank: str) -> None:
    other = CLUSTER.replace("    ", 2 * blank).replace(" = ", f"{blank}= ")

    assert lexed(other).exact.tolist() == lexed(CLUSTER).exact.tolist()
    assert lexed("\ufeff" + CLUSTER).exact.tolist() == lexed(CLUSTER).exact.tolist()


def test_prettier_and_standard_style_are_the_same_code() -> None:
    other = QUEUE.replace("'", '"').replace(";\n", "\n").replace("(resolve) =>", "resolve =>")

    assert code(QUEUE, "javascript") == code(other, "javascript")


def test_a_renamed_function_has_the_same_abstract_form() -> None:
    one = "def total(items, rate):\n    return sum(item.price * rate for item in items)\n"
    other = "def alpha(beta, gamma):\n    return sum(x.price * gamma for x in beta)\n"

    assert lexed(one).abstract.tolist() == lexed(other).abstract.tolist()
    assert lexed(one).exact.tolist() != lexed(other).exact.tolist()


def test_attributes_keywords_and_called_builtins_are_not_abstracted() -> None:
    tokens, words = written("for a in b.names: len(a); filter = len\n")
    kept = {
        word.strip(): int(abstract) != NAME_ID
        for word, abstract in zip(words, tokens.abstract, strict=True)
        if word.strip().isidentifier()
    }

    assert kept == {
        "for": True, "a": False, "in": True, "b": False, "names": True, "filter": False, "len": False,
    }  # fmt: skip
    assert int(tokens.abstract[words.index("len")]) == word_id("len")


def test_docstrings_and_comments_are_prose_and_other_strings_are_not() -> None:
    tokens, words = written(
        '"""Module text."""\nx = """not prose"""\nf(\n    "argument"\n)\n# a remark\n'
    )

    assert int((tokens.kinds == PROSE).sum()) == 4
    assert '"argument"' in words


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("python", 'x = f"""\n  uniform vec3 glow;\n  in;\n"""\ny', [("uniform", 1), ("vec3", 1), ("glow", 1), ("in", 2)]),
        ("python", "raise Error('no centre of\\nthe points\\' is near')", [
            ("no", 0), ("centre", 0), ("of", 0), ("the", 0), ("points", 0), ("is", 0), ("near", 0)]),
        ("python", "x = 'as long as its id tells.'", []),
        ("javascript", "x = `select\n\n${two} from the_table` + y", [("select", 0), ("two", 2), ("from", 2), ("the_table", 2)]),
        ("php", "$x = <<<EOT\nit may be $y or something\nEOT;\n$z", [
            ("it", 1), ("may", 1), ("be", 1), ("y", 1), ("or", 1), ("something", 1), ("EOT", 2)]),
        ("rust", 'x(r#"first of "all" of them\nlast"#)', [
            ("first", 0), ("of", 0), ("all", 0), ("of", 0), ("them", 0), ("last", 1)]),
    ],
)  # fmt: skip
def test_what_a_long_string_says_follows_it_as_prose(
    language: str, text: str, words: list[tuple[str, int]]
) -> None:
    tokens = lexed(text, language)
    (at,) = np.flatnonzero(tokens.kinds == STRING)
    prose = np.flatnonzero(tokens.kinds == PROSE)

    assert prose.tolist() == [at + 1 + number for number in range(len(words))]
    assert tokens.exact[prose].tolist() == [word_id(word) for word, _ in words]
    assert tokens.lines[prose].tolist() == [line for _, line in words]
    assert tokens.lines.tolist() == sorted(tokens.lines.tolist())


def test_what_a_tool_writes_with_escapes_says_the_same() -> None:
    one = 'help = """\n    what is to be done, and by whom,\n\twith "it"?\n"""\n'

    assert lexed(ast.unparse(ast.parse(one))).exact.tolist() == lexed(one).exact.tolist()


def test_what_a_string_says_changes_nothing_in_the_code_around_it() -> None:
    one = 'run(first, """\n  select one, two, three from b\n""", last)'
    other = one.replace("from b", "from b where c")

    assert code(one) == code(other)
    assert lexed(one).exact.tolist() != lexed(other).exact.tolist()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_whatever_ends_them(end: str) -> None:
    text = end.join(["a = '''", "two", "'''", "b = 1", "", '"""doc', 'more"""', "c"])
    tokens, words = written(text)
    lines = {word.strip(): int(line) for word, line in zip(words, tokens.lines, strict=True)}

    assert (lines["a"], lines["b"], lines["c"]) == (0, 3, 7)
    assert tokens.lines[tokens.kinds == PROSE].tolist() == [5, 6]


def test_dropped_marks_are_counted_with_the_token_after_them() -> None:
    tokens = lexed("f((a), b,)\n")

    assert len(tokens) == 4
    assert tokens.sizes.tolist() == [1, 3, 2, 1]


@pytest.mark.parametrize(
    "text",
    ["", "\n", "'", '"""', "\\", "#", "\x00\x01", "x = '\\", "`${`", "/* open", "\ud800 = 1", "a\fb", "ünïcode = 'é'"],
)  # fmt: skip
@pytest.mark.parametrize(
    "language", ["python", "typescript", "rust", "shellscript", "markdown", ""]
)
def test_any_text_has_tokens(text: str, language: str) -> None:
    tokens = lexed(text, language)

    assert len(tokens.exact) == len(tokens.abstract) == len(tokens.lines) == len(tokens.kinds)
    assert (tokens.lines >= 0).all()


def test_threads_share_a_lexer() -> None:
    texts = [f"def f_{n}(a_{n % 7}):\n    return b_{n} + a_{n % 7}\n" * 20 for n in range(200)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lexed, texts))

    for text, answer in zip(texts, answers, strict=True):
        assert np.array_equal(answer.exact, lexed(text).exact)


def test_names_are_told_from_keywords_strings_and_prose() -> None:
    text = (
        '"""doc"""\ndef area(width, *, unit="m"):\n    return Size(width=width, unit=unit)  # why\n'
    )

    assert [name.strip() for name in lexer_of("python").names(text, 0, 99)] == [
        "area", "width", "unit", "Size", "width", "width", "unit", "unit",
    ]  # fmt: skip


COPIES = {
    "java": (
        """
        @Override
        public int total(List<Item> items, char mark) {
            int sum = 0; // why
            for (Item item : items) if (item.mark != '\\'') sum += item.price.getAmount();
            return Math.max(sum, "none".length());
        }
        """,
        {"total": "whole", "items": "all", "mark": "mark", "sum": "s", "item": "each", "Item": "Piece"},
    ),
    "c": (
        """
        #include <string.h>
        static size_t count(const char *text, struct node *first) {
            /* why */
            for (size_t i = 0; text[i] != '\\0'; i++) first->seen += strlen(text);
            return first->seen;
        }
        """,
        {"count": "number", "text": "line", "first": "head", "i": "k", "node": "link"},
    ),
    "cpp": (
        """
        template <typename T> auto pick(std::vector<T> const &given, int most = 1'000) {
            auto pattern = R"x(a "quoted" (text))x";
            return std::move(given.at(most)).with(pattern);
        }
        """,
        {"pick": "take", "given": "from", "most": "limit", "pattern": "rule", "T": "U"},
    ),
    "csharp": (
        """
        public string Path(string root) {
            var name = @"c:\\" + $"{root}";   // why
            return name.Replace(@"a""b", 'x'.ToString());
        }
        """,
        {"Path": "Route", "name": "label", "root": "root"},
    ),
    "go": (
        """
        func (s *Server) Find(key string) (int, error) {
            pattern := `a\\` + "b"
            for index, each := range s.items { if each.key == key && len(pattern) > 'x' { return index, nil } }
            return -1, errors.New("none")
        }
        """,
        {"s": "self", "Server": "Host", "Find": "Look", "pattern": "rule", "index": "i", "each": "one"},
    ),
    "rust": (
        """
        fn longest<'a>(first: &'a str, other: &'a str) -> Option<&'a str> {
            let quote = 'q'; let raw = r#"a "b" c"#; // it's why
            if first.len() > other.len() { println!("{}", raw); Some(first) } else { None }
        }
        """,
        {"longest": "best", "quote": "mark", "raw": "text"},
    ),
    "php": (
        """
        function total($items) { # why
            $sum = 0;
            foreach ($items as $item) { $sum += $item->price * count($items) . Tax::rate('it\\'s'); }
            return <<<EOT
            isn't $it
            EOT;
        }
        """,
        {"total": "whole", "items": "all", "sum": "s", "item": "each"},
    ),
    "ruby": (
        """
        def total(items)  # it's why
          items.each { |item| @sum += item.price }
          raise ArgumentError, "none: #{items}" unless items.any?
        end
        """,
        {"total": "whole", "items": "all", "item": "each", "sum": "s"},
    ),
    "kotlin": (
        """
        fun total(items: List<Item>, mark: String): Int { // it's why
            val chosen = items.filter { it.mark == mark }.map { it.price }
            return if (chosen.isEmpty()) throw Empty("none $mark") else chosen.sum()
        }
        """,
        {"total": "whole", "items": "all", "mark": "sign", "chosen": "some", "Item": "Piece"},
    ),
    "shellscript": (
        """
        total() {  # it's why
            local folder="$1" count=0
            for file in "$folder"/*; do grep -q 'a "b"' "$file" && count=$((count + 1)); done
            echo "$count" | sort
        }
        """,
        {"total": "whole", "folder": "place", "count": "n", "file": "each"},
    ),
    "perl": (
        """
        sub total {  # it's why
            my ($items, $mark) = @_;
            my $sum = 0;
            foreach my $item (@$items) { $sum += $item->{price} if defined($item->price) && $#names; }
            return Tax::rate($sum);
        }
        """,
        {"total": "whole", "items": "all", "mark": "sign", "sum": "s", "item": "one"},
    ),
    "r": (
        """
        total <- function(items, mark = "none") {  # it's why
            chosen <- items[items$mark == mark, ]
            if (length(chosen) == 0) stop('none') else sum(chosen$price)
        }
        """,
        {"total": "whole", "items": "all", "chosen": "some"},
    ),
    "lua": (
        """
        local function total(items) -- it's why
            local sum = 0
            for index, item in ipairs(items) do sum = sum + item.price end
            return string.format("%d [[", sum)
        end
        """,
        {"total": "whole", "items": "all", "index": "i", "item": "each"},
    ),
    "elixir": (
        """
        def total(items) do  # it's why
          chosen = Enum.filter(items, fn item -> item.price > 0 end)
          if chosen == [], do: raise("none"), else: Enum.sum(chosen)
        end
        """,
        {"total": "whole", "items": "all", "chosen": "some", "item": "each"},
    ),
    "sql": (
        "SELECT item.price, COUNT(*) FROM sales item WHERE owner = 'it''s' -- why\n GROUP BY item.price",
        {"owner": "holder", "sales": "orders"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("language", COPIES)
def test_a_renamed_copy_has_the_same_abstract_form_in_every_language(language: str) -> None:
    text, names = COPIES[language]
    other = re.sub(
        rf"(?<![.>'\w])\b({'|'.join(names)})\b(?!'s)",
        lambda match: names[match[1]],
        text,
    )

    assert lexed(other, language).abstract.tolist() == lexed(text, language).abstract.tolist()
    assert code(other, language) != code(text, language)


@pytest.mark.parametrize(
    ("language", "text", "strings"),
    [
        ("c", "char c = 'a'; x = '\\''; s = L\"w\";", ["'a'", "'\\''", '"w"']),
        ("cpp", 'n = 1\'000\'000; s = R"x(a)" b)x";', ['R"x(a)" b)x"']),
        ("csharp", '@"a\\""b" + $"c\\"d"', ['@"a\\""b"', '$"c\\"d"']),
        ("go", "`a\\` + 'b'", ["`a\\`", "'b'"]),
        ("rust", "f::<'a, 'b>('c', r##\"d\"# e\"##)", ["'c'", 'r##"d"# e"##']),
        ("php", "<<<'EOT'\nit's\n  EOT . 'b' #[A] # c's", ["<<<'EOT'\nit's\n  EOT", "'b'"]),
        (
            "shellscript",
            "echo it\\'s $# '#' | cat <<EOF\nisn't\nEOF\nx#y",
            ["'#'", "<<EOF\nisn't\nEOF"],
        ),
        ("ruby", 'x = "a#b" # it\'s', ['"a#b"']),
        ("sql", "SELECT 'it''s', \"a\" -- isn't", ["'it''s'", '"a"']),
        ("html", "<p class='a'>it's</p><script>f('b') // c's\n</script>'", ["='a'", "'b'"]),
        ("css", "a::before { content: 'x' } /* it's */", ["'x'"]),
        ("javascript", "x = /['\"]/.test(a / b / c) + `y${z}`", ["/['\"]/", "`y${z}`"]),
        ("java", '"""\n a "b"\n""" + \'"\' + "c"', ['"""\n a "b"\n"""', "'\"'", '"c"']),
        ("yaml", "don't: 'x' # it's", []),
    ],
)
def test_strings_are_told_from_what_looks_like_them(
    language: str, text: str, strings: list[str]
) -> None:
    tokens, words = written(text, language)

    found = [
        word for word, kind in zip(words, tokens.kinds.tolist(), strict=True) if kind == STRING
    ]
    assert found == strings


def test_attributes_by_arrows_and_paths_are_not_abstracted() -> None:
    for language, text in (("cpp", "a->name + b::name"), ("php", "$a->name . B::name")):
        tokens, words = written(text, language)
        names = [
            int(id_) for id_, word in zip(tokens.abstract, words, strict=True) if word == "name"
        ]

        assert names == [word_id("name")] * 2


def test_capitals_say_nothing_in_sql() -> None:
    assert code("select Name from T", "sql") == code("SELECT name FROM t", "sql")


@pytest.mark.parametrize(
    ("language", "before", "opened"),
    [
        ("python", "x = '''a\n", "'''"),
        ("javascript", "/* a\n", "/*"),
        ("javascript", "// a /*\n", ""),
        ("shellscript", "cat <<EOF | sort\na\n", "<<EOF | sort "),
        ("cpp", 'x = R"tag(a)"\n', 'R"tag('),
        ("html", "<p><script lang='ts'>\nf(`a\n", "<script>`"),
        ("html", "<script>\n</script>\n", ""),
        ("rust", 'x = r#"a"\n', 'r#"'),
    ],
)
def test_what_is_open_is_opened_again(language: str, before: str, opened: str) -> None:
    assert lexer_of(language).opening(before) == opened


def test_every_language_of_code_has_a_family() -> None:
    plain = {name for name in LANGUAGES if family_of(name) is PLAIN}

    assert plain == {"json", "markdown", "restructuredtext"}
