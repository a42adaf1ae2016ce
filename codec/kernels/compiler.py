"""Compilers of kernels, for Numba's ``pipeline_class``: as Numba's own, without work whose result is dropped.

Numba optimises each function and makes machine code of it, then links it into those that call it, which are
optimised as a whole again::

    Numba      leaf: optimise, emit    inner: + leaf, optimise, emit    outer: + both, optimise, emit
    closed     leaf: optimise          inner: + leaf, optimise          outer: + both, optimise, emit
    outer      leaf: optimise          inner: + leaf, optimise          outer: + both, simplify, emit
    joining    leaf: optimise          inner: -                         outer: + both, simplify, emit

What only other kernels call is never run by itself, so :class:`InnerCompiler` makes no machine code of it.
:class:`JoiningCompiler`, for what calls others in turn, does not optimise it either. What computes is
optimised by itself all the same: left as it was written, it gets other vector instructions once all is one
large function; it ran slower, and a sum's last bits hung on who called it. So :class:`OuterCompiler`, for
what Python calls, neither unrolls loops nor makes vector instructions of them: done again, that made the code
longer and slower. :class:`VectorisingCompiler` does the latter: what hears ran slower without.

Numba runs its passes over each function, then a cheap and a full set of them over the module. The last does
the work of all three where no references are counted.

Two habits of Numba are left out, too: it looks up overloads by all flags, which it puts together again for
each comparison (:class:`_Flags`), and Python's collector goes through the growing trees of the compiler again
and again.
"""

from __future__ import annotations

import gc
from typing import Any

from llvmlite import binding as llvm
from numba import _dynfunc
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler, Flags, _LowerResult
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering


class _Flags(Flags):
    """Flags that are put together once: they are not changed while overloads are looked up by them."""

    __slots__ = ("_key",)

    def __init__(self, copy_from: Flags | None = None) -> None:
        super().__init__(copy_from)
        self._key: tuple[Any, ...] | None = None

    def _as_key(self) -> tuple[Any, ...]:
        if self._key is None:
            self._key = (super().__hash__(), self.values())
        return self._key

    def __hash__(self) -> int:
        return int(self._as_key()[0])

    def __eq__(self, other: object) -> bool:
        if isinstance(other, _Flags):
            return self is other or self._as_key() == other._as_key()
        return super().__eq__(other)


class _KernelCompiler(Compiler):
    """Lowers by ``lowering``; the collector waits meanwhile."""

    lowering: type[NativeLowering]

    def __init__(  # type: ignore[no-untyped-def]
        self, typingctx, targetctx, library, args, return_type, flags, locals
    ) -> None:
        super().__init__(typingctx, targetctx, library, args, return_type, _Flags(flags), locals)

    def define_pipelines(self) -> list[Any]:
        pipelines = super().define_pipelines()
        for pipeline in pipelines:
            pipeline.passes = [
                (self.lowering if step is NativeLowering else step, text) for step, text in pipeline.passes
            ]
            pipeline.finalize()
        return pipelines

    def _compile_core(self) -> Any:
        collects = gc.isenabled()
        gc.disable()
        try:
            return super()._compile_core()
        finally:
            if collects:
                gc.enable()


class _Library(JITCodeLibrary):
    """LLVM code that is optimised as a whole, once."""

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def add_linking_library(self, library: Any) -> None:
        if library not in self._linking_libraries:
            super().add_linking_library(library)
            if isinstance(library, _JoiningLibrary):
                for below in library._linking_libraries:
                    self.add_linking_library(below)


class _InnerLibrary(_Library):
    """LLVM code for other libraries to link in, of which no machine code is made."""

    _shared_module: Any

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True

    def _get_module_for_linking(self) -> Any:
        if self._shared_module is None:
            for function in self._final_module.functions:
                if not function.is_declaration and function.linkage == llvm.Linkage.external:
                    function.linkage = "linkonce_odr"  # several libraries may bring it along
            self._shared_module = self._final_module
        return self._shared_module


class _JoiningLibrary(_InnerLibrary):
    """As it was written, and without what it calls: whoever links it in does that, too."""

    def finalize(self) -> None:
        self._raise_if_finalized()
        self._finalize_final_module()


def _close(module: Any) -> None:
    """Let nothing outside see what was linked into ``module``.

    Else a process has one of the copies that several kernels brought along for all of them, whichever it got
    first; they differ in the last bits of sums, and so did the first start, which compiles, from later ones.
    Private, not internal: the process would find what is internal by its name, too, and LLVM may have changed
    its arguments.
    """
    for function in module.functions:
        if not function.is_declaration and function.linkage == llvm.Linkage.linkonce_odr:
            function.linkage = llvm.Linkage.private


class _ClosedLibrary(JITCodeLibrary):
    """Machine code that runs the copies of other kernels that it was optimised with."""

    def _optimize_final_module(self) -> None:
        _close(self._final_module)
        super()._optimize_final_module()


class _OuterLibrary(_Library):
    """Machine code of all that is linked in, which is optimised already: it is only simplified."""

    vectorises = False

    def _optimize_final_module(self) -> None:
        _close(self._final_module)
        tuning = llvm.create_pipeline_tuning_options(speed_level=3)
        tuning.loop_vectorization = self.vectorises
        tuning.slp_vectorization = tuning.loop_unrolling = False
        builder = llvm.create_pass_builder(self._codegen._tm, tuning)
        builder.getModulePassManager().run(self._final_module, builder)


class _VectorisedLibrary(_OuterLibrary):
    """As :class:`_OuterLibrary`, and loops are vectorised once more."""

    vectorises = True


@register_pass(mutates_CFG=True, analysis_only=False)
class _ClosedLowering(NativeLowering):
    """Lowers to a :class:`_ClosedLibrary`."""

    _name = "closed_lowering"
    library: type[JITCodeLibrary] = _ClosedLibrary

    def run_pass(self, state: Any) -> bool:
        state.library = self.library(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return bool(super().run_pass(state))


@register_pass(mutates_CFG=True, analysis_only=False)
class _OuterLowering(_ClosedLowering):
    """Lowers to an :class:`_OuterLibrary`."""

    _name = "outer_lowering"
    library = _OuterLibrary


@register_pass(mutates_CFG=True, analysis_only=False)
class _VectorisedLowering(_ClosedLowering):
    """Lowers to a :class:`_VectorisedLibrary`."""

    _name = "vectorised_lowering"
    library = _VectorisedLibrary


@register_pass(mutates_CFG=True, analysis_only=False)
class _InnerLowering(NativeLowering):
    """Lowers to an :class:`_InnerLibrary`."""

    _name = "inner_lowering"
    library: type[_InnerLibrary] = _InnerLibrary

    def run_pass(self, state: Any) -> bool:
        library = state.library = self.library(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        super().run_pass(state)
        lowered = state["cr"]
        description = lowered.fndesc
        # Its callers know it by this; it has no address, since Python cannot call it.
        name = description.qualname.split(".")[-1]
        function = _dynfunc.make_function(description.lookup_module(), name, "", 0, lowered.env, (library,))
        state.targetctx.insert_user_function(function, description, [library])
        state.reload_init.extend(library._reload_init)
        state["cr"] = _LowerResult(description, lowered.call_helper, cfunc=function, env=lowered.env)
        return True


@register_pass(mutates_CFG=True, analysis_only=False)
class _JoiningLowering(_InnerLowering):
    """Lowers to a :class:`_JoiningLibrary`."""

    _name = "joining_lowering"
    library = _JoiningLibrary


class ClosedCompiler(_KernelCompiler):
    """Compiles what Python calls and counts references."""

    lowering = _ClosedLowering


class OuterCompiler(_KernelCompiler):
    """Compiles what Python calls and whose inner kernels are optimised already."""

    lowering = _OuterLowering


class VectorisingCompiler(_KernelCompiler):
    """As :class:`OuterCompiler`, for kernels that compute much outside of their inner ones."""

    lowering = _VectorisedLowering


class InnerCompiler(_KernelCompiler):
    """Compiles what only other kernels call."""

    lowering = _InnerLowering


class JoiningCompiler(InnerCompiler):
    """Compiles what only other kernels call and that itself calls others."""

    lowering = _JoiningLowering
