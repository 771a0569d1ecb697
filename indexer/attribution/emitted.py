"""Whether a passage of JavaScript is what compilers and bundlers put into everybody's output."""

import re
from collections.abc import Sequence

_MOST = 0.8  # of what a passage holds: it may begin in the middle of a helper, which cannot be told
LINES, _CHARACTERS = 60, 10_000  # that a helper reaches at most, should its brackets never close

_TYPESCRIPT = """
    __createBinding __setModuleDefault __importDefault __importStar __exportStar __extends __assign
    __rest __decorate __param __metadata __awaiter __generator __values __read __spread
    __spreadArray __spreadArrays __await __asyncGenerator __asyncDelegator __asyncValues
    __makeTemplateObject __classPrivateFieldGet __classPrivateFieldSet __classPrivateFieldIn
    __esDecorate __runInitializers __propKey __setFunctionName __addDisposableResource
    __disposeResources __rewriteRelativeImportExtension
"""
_ESBUILD = """
    __create __defProp __defProps __getOwnPropDesc __getOwnPropDescs __getOwnPropNames
    __getOwnPropSymbols __getProtoOf __hasOwnProp __propIsEnum __reflectGet __reflectSet
    __knownSymbol __typeError __defNormalProp __spreadValues __spreadProps __objRest __name __pow
    __require __glob __esm __esmMin __commonJS __commonJSMin __export __exportAll __copyProps
    __reExport __toESM __toCommonJS __toBinary __publicField __accessCheck __privateIn __privateGet
    __privateAdd __privateSet __privateWrapper __privateMethod __superGet __superSet __superWrapper
    __template __async __asyncGenerator __yieldStar __forAwait __decorateClass __decorateParam
    __decoratorStart __decoratorStrings __decoratorContext __decoratorMetadata __decorateElement
    __expectFn __using __callDispose
"""
_BABEL = """
    _interopRequireDefault _interopRequireWildcard _getRequireWildcardCache _exportStar _typeof
    _typeOf _classCallCheck _createClass _defineProperties _defineProperty _toPropertyKey
    _toPrimitive _inherits _inheritsLoose _setPrototypeOf _getPrototypeOf _createSuper _callSuper
    _superPropBase _superPropGet _superPropSet _isNativeReflectConstruct _isNativeFunction
    _wrapNativeSuper _possibleConstructorReturn _assertThisInitialized _objectSpread
    _objectSpreadProps _objectDestructuringEmpty _objectWithoutProperties
    _objectWithoutPropertiesLoose _slicedToArray _toConsumableArray _arrayWithHoles
    _arrayWithoutHoles _arrayLikeToArray _iterableToArray _iterableToArrayLimit _nonIterableRest
    _nonIterableSpread _unsupportedIterableToArray _createForOfIteratorHelper
    _createForOfIteratorHelperLoose _asyncToGenerator _asyncIterator _asyncGeneratorDelegate
    _awaitAsyncGenerator _wrapAsyncGenerator _wrapRegExp _regenerator _regeneratorDefine
    _regeneratorRuntime _regeneratorValues _regeneratorKeys _regeneratorAsync _regeneratorAsyncGen
    _taggedTemplateLiteral _taggedTemplateLiteralLoose _applyDecoratedDescriptor
    _initializerDefineProperty _initializerWarningHelper _checkPrivateRedeclaration
    _classPrivateFieldGet _classPrivateFieldSet _classPrivateFieldInit _classPrivateFieldLooseBase
    _classPrivateFieldLooseKey _classPrivateMethodGet _classPrivateMethodInit _classPrivateGetter
    _classPrivateSetter _classApplyDescriptorGet _classApplyDescriptorSet
    _classExtractFieldDescriptor _classStaticPrivateFieldSpecGet _classStaticPrivateFieldSpecSet
    _classStaticPrivateMethodGet _assertClassBrand _checkInRHS _readOnlyError _writeOnlyError
    _tsDecorate _tsGenerator _tsMetadata _tsParam _tsValues
"""
_SWC = re.sub(r"(?<=[a-z])([A-Z])", r"_\1", _BABEL).lower()  # the same helpers, in snake case
_BUNDLERS = """
    __webpack_require__ __webpack_module_cache__ __webpack_exports__ __webpack_async_modules__
    _interopDefault _interopDefaultLegacy _interopDefaultCompat _interopNamespace
    _interopNamespaceDefault _interopNamespaceDefaultOnly _interopNamespaceCompat _mergeNamespaces
    asyncGeneratorStep toPropertyKey toPrimitive commonjsGlobal commonjsRequire createCommonjsModule unwrapExports
    getDefaultExportFromCjs getDefaultExportFromNamespaceIfPresent getAugmentedNamespace
"""
_NAMES = frozenset(" ".join((_TYPESCRIPT, _ESBUILD, _BABEL, _SWC, _BUNDLERS)).split())
_NAME = f"(?:{'|'.join(sorted(_NAMES))})(?:_?[0-9]+|\\$[0-9]+)?(?![\\w$])"

# All patterns are matched at one place and none looks ahead far: minified lines are a megabyte long.
_BETWEEN = re.compile(r"(?:\s|[;,]|/\*[^*\n]{0,100}\*/)*")  # /* harmony export */, /*#__PURE__*/

# What ends with the brace that closes its body. Names that people use too must begin as Babel's do.
_FUNCTION = re.compile(
    rf"""(?:export[ ])?(?:async[ ])?function[ ]?\*?[ ]?(?:
        {_NAME}(?=[ ]?\()
        | ownKeys(?=\([\w$]+,[ ]?[\w$]+\)[ ]?\{{\s*var[ ][\w$]+[ ]?=[ ]?Object\.keys\()
        | _extends(?=[ ]?\(\))
        | _export(?=\(target,[ ]all\))
    )
    | [!+]?\(function[ ]?\w*[ ]?(?=\((?:global,[ ]?|root,[ ]?)?factory\))  # around an UMD module
    """,
    re.VERBOSE,
)
# What ends with a semicolon, or with a line that leaves nothing open.
_STATEMENT = re.compile(
    rf"""(?:export[ ])?(?:var|let|const)[ ]{_NAME}(?=\s?=[^=>])
    | var[ ]_extends(?=[ ]?=[ ]?Object\.assign[ ]?\|\|)
    | Object\.defineProperty(?=\((?:module\.)?exports,[ ]?["']__esModule["'])
    | Object\.defineProperty(?=\(exports,[ ]?["'][\w$]+["'],[ ]?\{{\s*enumerable:[ ]?(?:true|!0),\s*
        get:[ ]?(?:function[ ]?\(\)[ ]?\{{\s*return[ ]|\(\)[ ]?=>[ ]?)[\w$.]+;?\s*\}})
    | Object\.keys(?=\(_[\w$]+\)\.forEach\(function[ ]?\(key\)[ ]?\{{\s*
        if[ ]?\(key[ ]?===[ ]?["']default["'][ ]?\|\|[ ]?key[ ]?===[ ]?["']__esModule["']\))
    | (?:__export|_export)(?=\((?:exports|[\w$]+_exports),[ ]?\{{)
    | 0[ ]&&[ ](?=\(module\.exports[ ]=[ ])
    | __webpack_require__\.(?:[a-zA-Z]+(?=[ ]?=[^=])|[rd](?=\((?:__webpack_)?exports))
    """,
    re.VERBOSE,
)
_REQUIRE = r"""require\(["'][^"'\n]{1,200}["']\)"""
# What is only itself: what it opens is the author's.
_PIECE = re.compile(
    rf"""["']use[ ]strict["'](?=\s|;|$)
    | (?:exports\.[\w$]+[ ]?=[ ]?)+void[ ]0
    | exports\.default[ ]?=[ ]?_default(?![\w$])
    | module\.exports[ ]?=[ ]?(?:exports(?:\.default|\[["']default["']\])|__toCommonJS\([\w$]+\))
    | (?:const|let|var)[ ](?:_[\w$]+|[\w$]+_[0-9]+)[ ]?=[ ]?{_REQUIRE}
    | (?:const|let|var)[ ][\w$]+[ ]?=[ ]?(?:/\*[ ]?[@#]__PURE__[ ]?\*/[ ]?)?
        (?:{_NAME}\(\s*{_REQUIRE}(?:,[ ]?[\w$]+)?\s*\)|(?:_interop|__toESM)\w*[ ]?\([\w$]+\))(?![.\w])
    | (?:__exportStar|_exportStar|_export_star|__reExport)\((?:[\w$]+,[ ]?)?{_REQUIRE}[\w$,. ]{{0,80}}\)
    | (?:const|let|var)[ ][\w$]+_exports[ ]?=[ ]?\{{\}}
    | (?:const|let|var)[ ]require_[\w$]+[ ]?=[ ]?__commonJS(?:Min)?\([^\n]{{0,300}}(?=\n|$)
    | (?:const|let|var)[ ]init_[\w$]+[ ]?=[ ]?__esm(?:Min)?\([^\n]{{0,300}}(?=\n|$)
    | //[ ][\w@./-]+\.[cm]?[jt]sx?(?=\n|$)
    | //[ ]Annotate[ ]the[ ]CommonJS[ ]export[ ]names[^\n]{{0,80}}
    | //[#@][ ]sourceMappingURL=[^\n]{{0,300}}
    | //[#](?:end)?region(?:[ ]\\0[^\n]{{0,300}})?(?=\n|$)
    | //[ ]\\0[^\n]{{0,300}}
    | /\*{{6,80}}/[^\n]{{0,300}}
    | \(\(\)[ ]=>[ ]\{{[ ]//[ ]webpackBootstrap
    | (?:const|let|var)[ ]__webpack_modules__[ ]?=[ ]?\(?[{{[]
    | (?:const|let|var)[ ][\w$]+__WEBPACK_IMPORTED_MODULE_\w+[ ]?=[ ]?
        __webpack_require__(?:\.n)?\([^()\n]{{1,300}}\)
    | \)?\((?:this|typeof[ ]self[^\n,]{{0,80}}),[ ]?\(?(?:function[ ]?\([\w$, ]{{0,500}}\)|\([\w$, ]{{0,500}}\)[ ]=>)[ ]?\{{
    | \)?\(function[ ]?\(require,[ ]exports[\w$, ]{{0,500}}\)[ ]?\{{
    | define\(\["require",[ ]"exports"[^]\n]{{0,500}}\],[ ]function[ ]\([\w$, ]{{0,500}}\)[ ]\{{
    """,
    re.VERBOSE,
)
_ANOTHER = re.compile(rf",\s*{_NAME}\s?=[^=>]")
_MARK = re.compile(r"[][{}();,\n]")
_MARGIN = re.compile(r"\n[a-zA-Z_]")  # no helper's body stands there: what follows is another's
_BLANK = re.compile(r"\s+")


def is_emitted(lines: Sequence[str], first: int = 0) -> bool:
    """Whether most of these lines, from the `first` on, are helpers, or what is put around a module.

    It is characters that are counted, so that a line of a minified file is as much as it holds. The lines before tell
    of which helper the first ones are the rest.
    """
    text = "\n".join(lines)
    start = sum(map(len, lines[:first])) + first
    size = _size(text[start:])
    return size > 0 and _told(text, start) >= _MOST * size


def _told(text: str, start: int) -> int:
    """The size of what only a compiler writes, from there on."""
    at = told = 0
    while at < len(text):
        between = _BETWEEN.match(text, at)
        begin = between.end() if between else at
        end = _end(text, begin)
        if end:
            told += _size(text[max(begin, start) : end])
            at = end
        else:
            at = text.find("\n", begin) + 1 or len(text)
    return told


def _end(text: str, begin: int) -> int:
    """Where what a compiler writes and begins here ends, or 0 if nothing does."""
    if found := _PIECE.match(text, begin):
        return found.end()
    if found := _FUNCTION.match(text, begin):
        return _closes(text, found.end(), "}")
    if found := _STATEMENT.match(text, begin):
        return _closes(text, found.end(), ";,\n")
    return 0


def _closes(text: str, begin: int, closing: str) -> int:
    """Where one of these signs comes outside all brackets: those in strings are taken for brackets."""
    depth = lines = 0
    limit = min(len(text), begin + _CHARACTERS)
    for mark in _MARK.finditer(text, begin, limit):
        sign = mark.group()
        depth += (sign in "([{") - (sign in ")]}")
        lines += sign == "\n"
        if depth < 0 or lines == LINES or _MARGIN.match(text, mark.start()):
            return mark.start()
        if depth == 0 and sign in closing and not _goes_on(text, begin, mark.start()):
            return mark.end()
    return limit


def _goes_on(text: str, begin: int, end: int) -> bool:
    """Whether a statement that stops here for a comma or a line has more after it."""
    if text[end] == ",":
        return _ANOTHER.match(text, end) is not None
    before, after = text[begin:end].rstrip()[-1:], text[end : end + 100].lstrip()[:1]
    return text[end] == "\n" and (before in set("=>|&?:,") or after in set("|&?:."))


def _size(text: str) -> int:
    return len(_BLANK.sub("", text))
