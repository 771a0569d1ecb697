"""Words that are a language's, not an author's: they stay when everything else is renamed."""

import builtins
import keyword


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PYTHON = frozenset(keyword.kwlist) | frozenset(
    name for name in dir(builtins) if name[0].isupper() or name.startswith("__")
)
PYTHON_CALLED = frozenset(
    name for name in dir(builtins) if name[0].islower() and name not in PYTHON
) - {"copyright", "credits", "exit", "license", "quit"}

# Not the contextual words of TypeScript (type, number, constructor, ...): people name variables so.
SCRIPT = _words(
    """async await break case catch class const continue debugger default delete do else enum export
    extends false finally for function if implements import in instanceof interface let new null of
    private protected public return static super switch this throw true try typeof undefined var void
    while with yield
    Array ArrayBuffer BigInt Boolean DataView Date Error Float32Array Float64Array Infinity Int32Array
    JSON Map Math NaN Number Object Promise Proxy RangeError ReferenceError Reflect RegExp Set String
    Symbol SyntaxError TypeError Uint16Array Uint32Array Uint8Array URL WeakMap WeakSet console
    exports globalThis require window"""
)
SCRIPT_CALLED = _words(
    """clearInterval clearTimeout decodeURIComponent encodeURIComponent fetch isFinite isNaN
    parseFloat parseInt queueMicrotask requestAnimationFrame setInterval setTimeout structuredClone"""
)
C = _words(
    """auto break case char const continue default define defined do double elif else endif enum error
    extern float for goto if ifdef ifndef include inline int long pragma register restrict return short
    signed sizeof static struct switch typedef undef union unsigned void volatile while
    NULL EOF FILE bool false int16_t int32_t int64_t int8_t intptr_t ptrdiff_t size_t ssize_t true uint16_t
    uint32_t uint64_t uint8_t uintptr_t va_list"""
)
C_CALLED = _words(
    """abort assert calloc close exit fclose fflush fgets fopen fprintf fputs fread free fwrite getenv
    isdigit isspace malloc memcmp memcpy memmove memset open perror printf putchar puts qsort read realloc
    snprintf sprintf sscanf strcat strchr strcmp strcpy strdup strlen strncmp strncpy strrchr strstr strtol
    va_arg va_end va_start vsnprintf write"""
)
CPP = C | _words(
    """alignas alignof and bitand bitor catch class co_await co_return co_yield compl concept consteval
    constexpr constinit const_cast decltype delete dynamic_cast explicit export final friend mutable
    namespace new noexcept not nullptr operator or override private protected public reinterpret_cast
    requires static_assert static_cast template this thread_local throw try typeid typename using virtual
    wchar_t xor std string vector"""
)
JAVA = _words(
    """abstract assert boolean break byte case catch char class const continue default do double else enum
    exports extends false final finally float for goto if implements import instanceof int interface long
    module native new null package permits private protected public record requires return sealed short
    static strictfp super switch synchronized this throw throws transient true try var void volatile while
    yield
    ArrayList Arrays Boolean Byte Character Class Collection Collections Double Exception Float HashMap
    HashSet IllegalArgumentException IllegalStateException Integer Iterable Iterator LinkedList List Long
    Map Math Object Objects Optional Override RuntimeException Set Short Stream String StringBuilder System
    Thread Throwable Void"""
)
CSHARP = _words(
    """abstract as async await base bool break byte case catch char checked class const continue decimal
    default delegate do double dynamic else enum event explicit extern false finally fixed float for
    foreach get goto if implicit in init int interface internal is lock long namespace new null object
    operator out override params partial private protected public readonly record ref required return
    sbyte sealed set short sizeof stackalloc static string struct switch this throw true try typeof uint
    ulong unchecked unsafe ushort using var virtual void volatile when where while yield
    Action Array Boolean Console DateTime Dictionary Exception Func IDisposable IEnumerable IList Int32
    Int64 List Math Object String StringBuilder System Task Type"""
)
GO = _words(
    """break case chan const continue default defer else fallthrough for func go goto if import interface
    map package range return select struct switch type var
    any bool byte complex128 complex64 error false float32 float64 int int16 int32 int64 int8 iota nil rune
    string true uint uint16 uint32 uint64 uint8 uintptr"""
)
GO_CALLED = _words(
    """append cap clear close complex copy delete imag len make max min new panic print println real
    recover"""
)
RUST = _words(
    """as async await break const continue crate dyn else enum extern false fn for if impl in let loop match
    mod move mut pub ref return self static struct super trait true type union unsafe use where while
    bool char f32 f64 i128 i16 i32 i64 i8 isize str u128 u16 u32 u64 u8 usize
    Arc Box Clone Copy Debug Default Drop Eq Err Fn FnMut FnOnce From HashMap HashSet Into Iterator None Ok
    Option Ord PartialEq PartialOrd Rc Result Self Send Sized Some String Sync ToString Vec cfg derive
    std test
    assert assert_eq assert_ne dbg debug_assert eprintln format matches panic print println todo
    unimplemented unreachable vec write writeln"""
)
PHP = _words(
    """abstract and array as break callable case catch class clone const continue declare default do echo
    else elseif enddeclare endfor endforeach endif endswitch endwhile enum extends final finally fn for
    foreach function global goto if implements include include_once instanceof insteadof interface list
    match mixed namespace new null or parent php print private protected public readonly require
    require_once return self static switch this throw trait try use var void while xor yield
    bool false float int iterable never object string true Closure DateTime Exception stdClass"""
)
PHP_CALLED = _words(
    """array_filter array_key_exists array_keys array_map array_merge array_pop array_push array_shift
    array_slice array_unique array_values call_user_func ceil count date defined die dirname empty exit
    explode file_exists file_get_contents file_put_contents floor implode in_array intval is_array
    is_callable is_int is_null is_numeric is_object is_string isset json_decode json_encode max method_exists
    min preg_match preg_replace printf round sort sprintf str_replace strlen strpos strtolower strtoupper
    substr time trim ucfirst unset usort var_dump"""
)
SHELL = _words(
    """case coproc declare do done elif else esac export fi for function if in let local readonly return
    select set shift source then time trap typeset unset until while
    HOME IFS PATH PWD
    awk basename cat cd chmod chown cp curl cut date dirname echo env eval exec exit false find grep head
    kill ln ls mkdir mktemp mv printf pwd read rm sed sleep sort tail tar tee test touch tr true uniq wc wget
    xargs"""
)
RUBY = _words(
    """BEGIN END alias and begin break case class def defined do else elsif end ensure false for if in module
    next nil not or redo rescue retry return self super then true undef unless until when while yield
    Array Class Comparable Enumerable Exception File Float Hash Integer Kernel Module Object Proc Range
    StandardError String Struct Symbol Time
    attr_accessor attr_reader attr_writer extend include private protected public raise require
    require_relative"""
)
RUBY_CALLED = _words("catch format lambda loop p print proc puts rand sleep sprintf throw")
PERL = _words(
    """and cmp continue do each else elsif eq for foreach ge given gt if last le local lt my ne next no not or
    our package qw redo require return sub unless until use wantarray when while x xor
    BEGIN END STDERR STDIN STDOUT strict warnings"""
)
PERL_CALLED = _words(
    """bless chomp close defined delete die exists grep join keys length lc map open pop print printf push
    ref reverse scalar shift sort splice split sprintf substr uc unshift values warn"""
)
R = _words(
    """FALSE Inf NA NULL NaN TRUE break else for function if in next repeat return while
    library require"""
)
R_CALLED = _words(
    """abs apply as c cat colnames data factor ifelse is lapply length list matrix max mean min names ncol
    nrow order paste paste0 print rbind cbind rep round sapply seq stop sum unlist which"""
)
BRACES = _words(
    """abstract as assert async auto await bool boolean break byte case catch chan char class const
    constexpr continue crate default defer delete do double dyn else elif endif enum error explicit
    export extends extern false final finally float fn for foreach friend func go goto if ifdef ifndef
    impl implements import in include inline int int16_t int32_t int64_t int8_t interface internal is
    let long loop macro_rules map match mod move mut namespace new nil noexcept null nullptr operator
    override package priv private protected pub public range readonly ref register return self sealed
    short signed size_t sizeof static std string struct super switch template this throw throws trait
    true try type typedef typename u16 u32 u64 u8 uint16_t uint32_t uint64_t uint8_t i16 i32 i64 i8 f32
    f64 usize isize str union unsafe unsigned use using val var vector virtual void volatile when where
    while yield Box Err None Ok Option Result Self Some String Vec"""
)
HASHED = _words(
    """alias and begin break case class continue def do done elif else elsif end ensure esac exit
    export false fi for function if in local module next nil not or redo require rescue retry return
    self shift source sub super then true undef unless unset until use when while yield my our"""
)
HASHED_CALLED = _words(
    "cat cd cp echo eval exec grep mkdir mv print printf puts raise read rm sed set test"
)
ELIXIR = _words(
    """after alias and case catch cond def defdelegate defimpl defmacro defmodule defp defprotocol defstruct do
    else end false fn for if import in nil not or quote raise receive require rescue true try unless unquote
    use when with Enum Map String"""
)
LUA = _words(
    """and break do else elseif end false for function goto if in local nil not or repeat return then true
    until while self string table math io os"""
)
LUA_CALLED = _words(
    """assert error getmetatable ipairs next pairs pcall print rawget rawset require select setmetatable
    tonumber tostring type unpack"""
)
SQL = _words(
    """add all alter and any as asc begin between bigint boolean by cascade case char check column commit
    constraint create cross database date default delete desc distinct double drop else end except exists
    explain false fetch float foreign from full function grant group having if ilike in index inner insert
    int integer interval into is join key language left like limit not null numeric of offset on or order
    outer over partition primary procedure real recursive references rename replace returning returns
    revoke right rollback row rows schema select serial set smallint table text then time timestamp to
    transaction trigger true truncate union unique update using values varchar view when where window with"""
)
SQL_CALLED = _words(
    """abs avg cast coalesce concat count current_date current_timestamp dense_rank extract first_value
    greatest lag last_value lead least length lower max min now nullif rank round row_number substring sum
    trim upper"""
)

PYTHON_PREFIXES = frozenset(
    written
    for prefix in ("r", "b", "u", "f", "t", "rb", "br", "fr", "rf", "tr", "rt")
    for written in (prefix, prefix.upper(), prefix.capitalize(), prefix[0] + prefix[1:].upper())
)
