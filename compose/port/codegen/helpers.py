"""Helpers: what several parts of an expression have in common is written once, as a function or a constant."""

from __future__ import annotations

from collections import Counter, defaultdict

from compose.port.codegen.anti_unification import Generaliser, Unlike, params, substitute
from compose.port.codegen.dependent_arguments import derived
from compose.port.codegen.layout import WIDTH, Layout
from compose.port.codegen.loops import graded
from compose.port.codegen.naming import helper_name, is_size, parameter_names
from compose.port.codegen.program import Helper, Program, blocks
from compose.port.codegen.runs import common_group, grouped
from compose.port.codegen.terms import Term

_SHORTEST = 22  # characters of an expression that is worth a name
_LEAST_GAIN = 15  # characters that a helper must save
_PER_LINE, _PER_HELPER, _PER_PARAM = 12, 30, 8  # what a line, a function and a parameter cost, in characters
_FAMILIAR = 200  # how much longer a helper may be that is one of the source's own modules
_TRIALS = 8  # patterns that are tried out in each turn
_OF_A_FORM = 2  # patterns of each form that are tried out too, where there are few expressions
_FEW = 400
_MOST_PARAMS = 7
_SAMPLE = 28  # expressions of one form that are compared with each other


def find_helpers(net: Term, words: dict[Term, str]) -> Program:
    """The program in which every helper that makes the text shorter has been taken out, the best one first."""
    said = graded(net)
    net, words = said(net), {said(part): word for part, word in words.items()}
    group = common_group(net)
    programs = [_found(Program(grouped(net, g), {}, {grouped(p, g): w for p, w in words.items()})) for g in {(), group}]
    return min(programs, key=_cost)


def _found(program: Program) -> Program:
    cost = _cost(program)
    while True:
        trials = [_with_helper(program, pattern) for pattern in _Search(program).best()]
        better = [(c, t) for t in trials if (c := _cost(t)) <= cost - _LEAST_GAIN]
        if not better:
            return program
        cost, program = min(better, key=lambda pair: pair[0] - _FAMILIAR * pair[1].newest.said)


def _cost(program: Program) -> int:
    """How long the program is to read: characters, lines, and what there is to know of each helper."""
    lines = [line for block in blocks(program, "net") for line in block]
    told = sum(_PER_HELPER + _PER_PARAM * len(h.params) for h in program.helpers.values() if h.is_function)
    return told + sum(len(line.strip()) + _PER_LINE for line in lines)


class _Search:
    def __init__(self, program: Program):
        self.program = program
        self.general = Generaliser(program.arguments)
        self.layout = Layout(program.arguments, program.keeps)
        self.size: dict[Term, int] = {}
        self.counts = Counter(
            t for body in program.bodies() for t in body.walk() if t.kind in ("call", "op", "items") and not t.free()
        )
        self.forms: dict[tuple, list[Term]] = defaultdict(list)
        for term in self.counts:
            if self.length(term) >= _SHORTEST or term.kind == "items":
                self.forms[_form(term)].append(term)

    def length(self, term: Term) -> int:
        if term not in self.size:
            self.size[term] = len(self.layout.flat(term))
        return self.size[term]

    def best(self) -> list[Term]:
        """The patterns that promise to save most."""
        found: dict[Term, float] = {}
        for form in self.forms.values():
            for pattern in self._patterns(form):
                found[pattern] = self.gain(pattern, form)
        top = sorted(found, key=lambda p: (-found[p], self.layout.flat(p)))[:12]
        for pattern in top:  # patterns made of pairs may be too special: widen the best
            for term in self.forms[_form(pattern)]:
                for wider in self._common(pattern, term):
                    if wider not in found:
                        found[wider] = self.gain(wider, self.forms[_form(pattern)])
        order = sorted((p for p in found if found[p] > 0), key=lambda p: (-found[p], self.layout.flat(p)))
        seen: Counter = Counter()
        chosen = []
        for i, pattern in enumerate(order):
            form = pattern.kind, pattern.head
            seen[form] += 1
            if i < _TRIALS or (seen[form] <= _OF_A_FORM and len(self.counts) <= _FEW):
                chosen.append(pattern)
        return chosen

    def _patterns(self, form: list[Term]) -> set[Term]:
        made = {t for t in form if self.counts[t] > 1 and not params(t)}
        sample = form[:: max(1, len(form) // _SAMPLE)]
        for i, a in enumerate(sample):
            for b in sample[:i]:
                made.update(self._common(a, b))
        return made

    def _common(self, a: Term, b: Term) -> list[Term]:
        try:
            pattern = self.general.common(a, b)
        except Unlike:
            return []
        return [_numbered(pattern)] if pattern.kind == a.kind else []

    def gain(self, pattern: Term, form: list[Term]) -> float:
        """Characters saved by writing the pattern once."""
        names = params(pattern)
        if len(names) > _MOST_PARAMS:
            return -1
        saved, values, used = 0.0, defaultdict(list), 0
        for term in form:
            found = self.general.match(pattern, term)
            if found is None:
                continue
            n = self.counts[term]
            used += n
            saved += n * (self.length(term) - 10)
            for name in names:
                values[name].append((found[name], n))
        if used < 2 or (not names and used < 3):
            return -1
        for given in values.values():
            common = Counter()
            for value, n in given:
                common[value] += n
            usual = common.most_common(1)[0][1] if len(common) > 1 else 0
            texts = sum(n * (self.length(v) + 2) for v, n in common.items())
            saved -= texts - usual * 3 + 12 + (30 if any(v.kind not in ("atom", "param") for v in common) else 0)
        own = self.length(pattern) - sum(len(n) for n in names)
        return saved - self.length(pattern) if own >= 18 + 6 * len(names) else -1


def _form(term: Term) -> tuple:
    return term.kind, term.head, term.names.count(None), len(term.args) if term.kind == "items" else 0


def _numbered(pattern: Term) -> Term:
    return substitute(pattern, {n: Term("param", f"p{i}") for i, n in enumerate(params(pattern))})


def _with_helper(program: Program, pattern: Term) -> Program:
    """The program with the pattern as a helper, and calls of it in its places."""
    program = Program(program.net, program.helpers, program.words)
    general = Generaliser(program.arguments)
    uses: list[dict[str, Term]] = []
    word: Counter = Counter()

    def count(term: Term) -> None:
        found = general.match(pattern, term) if not term.free() else None
        if found is not None:
            uses.append(found)
            said = program.words.get(_nameless(term))
            word.update([said] if said else [])
        for arg in (found or {}).values() if found is not None else term.args:
            count(arg)

    for body in program.bodies():
        count(body)
    taken = program.said()
    shadowed = {p for helper in program.helpers.values() for p in helper.params}
    bodies = {helper.name: helper.body for helper in program.helpers.values()}
    name = helper_name(pattern, word.most_common(1)[0][0] if word else "", taken | shadowed, bodies)
    called = parameter_names(pattern, uses, taken | {name})
    follow = derived(uses, called)
    called = {p: said for p, said in called.items() if p not in follow}
    usual = {p: Counter(use[p] for use in uses).most_common(1)[0] for p in called}
    often = {p: v for p, (v, n) in usual.items() if 2 * n > len(uses) and n > 1}
    defaults = {called[p]: v for p, v in often.items() if _short(v) and not is_size(called[p])}
    order = sorted(called.values(), key=lambda p: (p in defaults, p == "name", not is_size(p)))
    values = {called[p]: tuple(dict.fromkeys(use[p] for use in uses)) for p in called}
    is_function = (
        bool(called) or pattern.kind == "items" or len(Layout(program.arguments, program.keeps).flat(pattern)) > WIDTH
    )
    body = substitute(pattern, follow | {p: Term("param", q) for p, q in called.items()})

    def change(term: Term) -> Term:
        found = general.match(pattern, term) if not term.free() else None
        if found is None:
            return term.but(args=tuple(map(change, term.args))) if term.args else term
        given = {called[p]: change(v) for p, v in found.items() if p in called}
        kept = [p for p in order if given[p] != defaults.get(p)]
        return Term("call", name, tuple(given[p] for p in kept), tuple(kept)) if is_function else Term("atom", name)

    program.rewrite(change)
    program.helpers[name] = Helper(name, body, tuple(order), defaults, values, bool(word), is_function)
    return program


def _nameless(term: Term) -> Term:
    kept = [(n, a) for n, a in zip(term.names, term.args) if n != "name"]
    if term.kind != "call" or len(kept) == len(term.args):
        return term
    return term.but(names=tuple(n for n, _ in kept), args=tuple(a for _, a in kept))


def _short(value: Term) -> bool:
    return value.kind == "atom" and len(value.head) <= 24
