"""What compilers put into everybody's output is told from what somebody wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from indexer.attribution.builder import build_index
from indexer.attribution.emitted import is_emitted
from indexer.attribution.index import AttributionIndex
from tests.indexer.attribution.conftest import QUEUE, document, write_corpus

if TYPE_CHECKING:
    from pathlib import Path

TYPESCRIPT = """\
"use strict";
var __createBinding = (this && this.__createBinding) || (Object.create ? (function(o, m, k, k2) {
    if (k2 === undefined) k2 = k;
    var desc = Object.getOwnPropertyDescriptor(m, k);
    if (!desc || ("get" in desc ? !m.__esModule : desc.writable || desc.configurable)) {
      desc = { enumerable: true, get: function() { return m[k]; } };
    }
    Object.defineProperty(o, k2, desc);
}) : (function(o, m, k, k2) {
    if (k2 === undefined) k2 = k;
    o[k2] = m[k];
}));
var __setModuleDefault = (this && this.__setModuleDefault) || (Object.create ? (function(o, v) {
    Object.defineProperty(o, "default", { enumerable: true, value: v });
}) : function(o, v) {
    o["default"] = v;
});
var __importStar = (this && this.__importStar) || function (mod) {
    if (mod && mod.__esModule) return mod;
    var result = {};
    if (mod != null) for (var k in mod) if (k !== "default") __createBinding(result, mod, k);
    __setModuleDefault(result, mod);
    return result;
};
var __importDefault = (this && this.__importDefault) || function (mod) {
    return (mod && mod.__esModule) ? mod : { "default": mod };
};
Object.defineProperty(exports, "__esModule", { value: true });
exports.parse = exports.Reader = void 0;
const fs = __importStar(require("fs"));
const path_1 = __importDefault(require("path"));
const util_1 = require("./util");
Object.defineProperty(exports, "find", { enumerable: true, get: function () { return util_1.find; } });
"""

AWAITER = """\
var __awaiter = (this && this.__awaiter) || function (thisArg, _arguments, P, generator) {
    function adopt(value) { return value instanceof P ? value : new P(function (r) { r(value); }); }
    return new (P || (P = Promise))(function (resolve, reject) {
        function fulfilled(value) { try { step(generator.next(value)); } catch (e) { reject(e); } }
        step((generator = generator.apply(thisArg, _arguments || [])).next());
    });
};
var __decorate = (this && this.__decorate) || function (decorators, target, key, desc) {
    var c = arguments.length, r = c < 3 ? target : desc, d;
    for (var i = decorators.length - 1; i >= 0; i--) if (d = decorators[i]) r = d(r);
    return c > 3 && r && Object.defineProperty(target, key, r), r;
};
"""

ESBUILD = """\
"use strict";
var __create = Object.create;
var __defProp = Object.defineProperty;
var __getOwnPropNames = Object.getOwnPropertyNames;
var __hasOwnProp = Object.prototype.hasOwnProperty;
var __export = (target, all) => {
  for (var name in all)
    __defProp(target, name, { get: all[name], enumerable: true });
};
var __toESM = (mod, isNodeMode, target) => (target = mod != null ? __create(__getProtoOf(mod)) : {}, __copyProps(
  // If the importer is in node compatibility mode or this is not an ESM
  isNodeMode || !mod || !mod.__esModule ? __defProp(target, "default", { value: mod }) : target,
  mod
));
var __toCommonJS = (mod) => __copyProps(__defProp({}, "__esModule", { value: true }), mod);
var __publicField = (obj, key, value) =>
  __defNormalProp(obj, typeof key !== "symbol" ? key + "" : key, value);

// src/index.ts
var index_exports = {};
__export(index_exports, {
  parse: () => parse,
  render: () => render
});
module.exports = __toCommonJS(index_exports);
var import_fs = __toESM(require("fs"));
// Annotate the CommonJS export names for ESM import in node:
0 && (module.exports = {
  parse,
  render
});
"""

BABEL = """\
"use strict";

Object.defineProperty(exports, "__esModule", {
  value: true
});
exports.default = void 0;
var _react = _interopRequireDefault(require("react"));
Object.keys(_types).forEach(function (key) {
  if (key === "default" || key === "__esModule") return;
  if (key in exports && exports[key] === _types[key]) return;
});
function _interopRequireDefault(e) { return e && e.__esModule ? e : { default: e }; }
function ownKeys(e, r) { var t = Object.keys(e); if (Object.getOwnPropertySymbols) { var o = 1; } return t; }
function _objectSpread(e) { for (var r = 1; r < arguments.length; r++) { var t = {}; ownKeys(t); } return e; }
function _typeof(o) { "@babel/helpers - typeof"; return _typeof = "function" == typeof Symbol ? 1 : 2, _typeof(o); }
function _slicedToArray2(r, e) {
  return _arrayWithHoles(r) || _iterableToArrayLimit(r, e) || _nonIterableRest();
}
function _extends() { return _extends = Object.assign ? Object.assign.bind() : function (n) { return n; }; }
"""

SWC = """\
"use strict";
Object.defineProperty(exports, "__esModule", {
    value: true
});
function _export(target, all) {
    for(var name in all)Object.defineProperty(target, name, {
        enumerable: true,
        get: all[name]
    });
}
_export(exports, {
    find: function() {
        return find;
    }
});
const _fs = /*#__PURE__*/ _interop_require_default(require("fs"));
_export_star(require("./types"), exports);
function _interop_require_default(obj) {
    return obj && obj.__esModule ? obj : {
        default: obj
    };
}
function _class_private_field_get(receiver, privateMap) {
    var descriptor = _class_extract_field_descriptor(receiver, privateMap, "get");
    return _class_apply_descriptor_get(receiver, descriptor);
}
"""

WEBPACK = """\
/******/ (() => { // webpackBootstrap
/******/ \t"use strict";
/******/ \t// The module cache
/******/ \tvar __webpack_module_cache__ = {};
/************************************************************************/
__webpack_require__.r(__webpack_exports__);
/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   "find": () => (/* binding */ find)
/* harmony export */ });
/* harmony import */ var _util__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(/*! ./util */ "./src/util.js");
function __webpack_require__(moduleId) {
    var cachedModule = __webpack_module_cache__[moduleId];
    if (cachedModule !== undefined) {
        return cachedModule.exports;
    }
}
"""

ROLLUP = """\
(function (global, factory) {
    typeof exports === 'object' && typeof module !== 'undefined' ? factory(exports, require('react')) :
    typeof define === 'function' && define.amd ? define(['exports', 'react'], factory) :
    (global = typeof globalThis !== 'undefined' ? globalThis : global || self, factory(global.X = {}, global.React));
})(this, (function (exports, React) { 'use strict';

    function _interopDefaultLegacy (e) { return e && typeof e === 'object' && 'default' in e ? e : { 'default': e }; }
    var React__default = /*#__PURE__*/_interopDefaultLegacy(React);
    var commonjsGlobal = typeof globalThis !== 'undefined' ? globalThis : typeof window !== 'undefined' ? window : {};
    function getDefaultExportFromCjs (x) {
        return x && x.__esModule && Object.prototype.hasOwnProperty.call(x, 'default') ? x['default'] : x;
    }
"""

HEADER = """\
var __async = (__this, __arguments, generator) => {
  return new Promise((resolve, reject) => {
"""

ONE_VAR = "var __defProp = Object.defineProperty,\n    __getProtoOf = Object.getPrototypeOf"

WRITTEN = """\
function merge(left, right) {
    const spans = [...left, ...right].sort((a, b) => a.start - b.start);
    const merged = [];
    for (const span of spans) {
        const last = merged[merged.length - 1];
        if (last && span.start <= last.end) last.end = Math.max(last.end, span.end);
        else merged.push({ start: span.start, end: span.end });
    }
    return merged;
}
"""


@pytest.mark.parametrize(
    "text", [TYPESCRIPT, AWAITER, ESBUILD, BABEL, SWC, WEBPACK, ROLLUP, HEADER, ONE_VAR]
)
def test_what_compilers_put_into_every_file_is_told(text: str) -> None:
    assert is_emitted(text.splitlines())
    assert is_emitted(["    " + line for line in text.splitlines()])


@pytest.mark.parametrize("text", [TYPESCRIPT, ESBUILD])
def test_a_passage_may_begin_and_end_in_the_middle_of_a_helper(text: str) -> None:
    assert is_emitted(text.splitlines()[7:-2])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n  \n",
        WRITTEN,
        HEADER + WRITTEN,
        '"use strict";\n' + WRITTEN,
        "var __defProp = Object.defineProperty;\nvar __create = Object.create;\n" + WRITTEN,
        "var __defProp = Object.defineProperty, spans = function () {\n" + WRITTEN + "};\n",
        AWAITER + WRITTEN * 3,
        "function load(path) {\n    return __awaiter(this, void 0, void 0, function* () {\n"
        "        const text = yield read(path);\n        return JSON.parse(text);\n    });\n}\n",
        "var require_spans = __commonJS({\n  'spans.js'(exports, module) {\n"
        + WRITTEN
        + "  }\n});",
        "})(this, (function (exports) { 'use strict';\n" + WRITTEN,
        "const fs = require('fs');\nconst path = require('path');\n",
        "__values = [\n    1,\n    2,\n]\n",
    ],
)
def test_what_somebody_wrote_is_not(text: str) -> None:
    assert not is_emitted(text.splitlines())


@pytest.mark.parametrize(
    "text",
    [
        "function ownKeys(target) {\n    return Reflect.ownKeys(target).filter((key) => own(key));\n}\n",
        "function _export(format) {\n    return writers[format](this.rows);\n}\n",
        "function _extends(child, parent) {\n    child.prototype = Object.create(parent);\n}\n",
        "function __awaiterOf(task) {\n    return task.waiting;\n}\n",
        "Object.defineProperty(exports, 'old', {\n    get() {\n        warn('old');\n    }\n});\n",
    ],
)
def test_people_use_such_names_too(text: str) -> None:
    assert not is_emitted(text.splitlines())
    assert not is_emitted((text + WRITTEN).splitlines())


ROLLDOWN = """\
//#region \\0@oxc-project+runtime@0.155.0/helpers/esm/toPropertyKey.js
function toPropertyKey(t) {
	var i = toPrimitive(t, "string");
	return "symbol" == _typeof(i) ? i : i + "";
}
//#endregion
// \\0@oxc-project+runtime@0.155.0/helpers/esm/defineProperty.js
function _defineProperty(e, r, t) {
	return (r = toPropertyKey(r)) in e ? Object.defineProperty(e, r, {
		value: t,
		enumerable: !0,
		configurable: !0,
		writable: !0
	}) : e[r] = t, e;
}
"""


@pytest.mark.parametrize("first", [0, 3, 9])
def test_the_lines_before_tell_of_which_helper_a_passage_is_the_rest(first: int) -> None:
    lines = ROLLDOWN.splitlines()

    assert is_emitted(lines, first)
    assert not is_emitted(lines[9:])
    assert not is_emitted(lines + WRITTEN.splitlines() * 2, first)


def test_a_helper_whose_brackets_never_close_ends_somewhere() -> None:
    opened = ["var __read = function (o) { return '{';", "};"]

    assert is_emitted(opened)
    assert not is_emitted(opened + WRITTEN.splitlines() * 30)


@pytest.mark.parametrize(
    "filling", ["a=b({c:1});", " ", "exports.a=", "/* */", "(", ";var __read", "_"]
)
def test_a_long_line_is_as_much_as_it_holds(filling: str) -> None:
    line = "var __create=Object.create;" + filling * (1_000_000 // len(filling))

    assert is_emitted([line]) == (filling == " ")


def test_ones_own_output_of_a_compiler_is_no_more_than_information(tmp_path: Path) -> None:
    compiled = TYPESCRIPT + QUEUE
    write_corpus(tmp_path, [document(compiled, "dist/retry.js", "patience", "javascript")])
    build_index(tmp_path / "corpus", tmp_path / "index", jobs=1)
    index = AttributionIndex.open(tmp_path / "index")
    (alone,) = index.check_document(TYPESCRIPT, language="javascript")
    (copy,) = index.check_document(compiled, language="javascript")

    assert (alone.tier, alone.kind) == ("information", "verbatim")
    assert copy.tier == "warning"
