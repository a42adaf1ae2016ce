"""Compilers of kernels, for Numba's ``pipeline_class``: as Numba's own, without work whose result is dropped.

Numba optimises each function and makes machine code of it, then links it into those that call it, which are
optimised as a whole again::

    Numba      leaf: optimise, emit    inner: + leaf, optimise, emit    outer: + both, optimise, emit
    here       leaf: optimise          inner: -                         outer: + both, optimise, emit

What only other kernels call is never run by itself, so :class:`InnerCompiler` makes no machine code of it.
Nor does it optimise what merely calls others. Small kernels (``forceinline``) and sums that LLVM may put in
another order (``fastmath``) are optimised by themselves all the same: with those, too, left as they were
written, vector instructions were chosen once all was one large function; what was compiled ran slower, and a
sum's last bits hung on who called it.

Python's collector rests meanwhile: it would go through the growing trees of the compiler again and again.
"""

from __future__ import annotations

import gc
from typing import Any

from numba import _dynfunc
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler, _LowerResult
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering


class KernelCompiler(Compiler):
    """Compiles what Python calls."""

    def _compile_core(self) -> Any:
        collects = gc.isenabled()
        gc.disable()
        try:
            return super()._compile_core()
        finally:
            if collects:
                gc.enable()


class _InnerLibrary(JITCodeLibrary):
    """LLVM code for other libraries to link in, of which no machine code is made."""

    optimised = True

    def _optimize_functions(self, ll_module: Any) -> None:
        if self.optimised:
            super()._optimize_functions(ll_module)
        else:
            ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        if self.optimised:
            super()._optimize_final_module()

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class _InnerLowering(NativeLowering):
    """Lowers to an :class:`_InnerLibrary`."""

    _name = "inner_lowering"

    def run_pass(self, state: Any) -> bool:
        library = _InnerLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        library.optimised = bool(state.flags.fastmath) or state.flags.forceinline
        state.library = library
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


class InnerCompiler(KernelCompiler):
    """Compiles what only other kernels call."""

    def define_pipelines(self) -> list[Any]:
        pipelines = super().define_pipelines()
        for pipeline in pipelines:
            pipeline.passes = [
                (_InnerLowering if step is NativeLowering else step, text) for step, text in pipeline.passes
            ]
            pipeline.finalize()
        return pipelines
