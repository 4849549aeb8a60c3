/* The kernel families, each one compilation of ops_kernels.h under its own flags. */
#ifndef SKIMD_MODEL_OPS_FAMILIES_H
#define SKIMD_MODEL_OPS_FAMILIES_H

#include "model/ops.h"

#ifdef __x86_64__
#define SKIMD_X86_64
extern const struct ops ops_avx2, ops_avx2bf16, ops_avx512, ops_avx512bf16;
#endif
extern const struct ops ops_plain;

#endif
