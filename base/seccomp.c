#include "base/seccomp.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/audit.h>

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define THIS_ARCH AUDIT_ARCH_RISCV64
#else
#define THIS_ARCH 0
#endif

#define X32_BIT 0x40000000u /* on x86_64: the same calls under other numbers */

/* Where the low half of an argument lies; all processors above are little-endian. */
#define ARGUMENT(i) (uint32_t)(offsetof(struct seccomp_data, args) + (i) * sizeof(uint64_t))

static void add(struct seccomp_filter *filter, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	assert(filter->n < SECCOMP_MAX_LINES);
	filter->lines[filter->n++] = (struct sock_filter){ code, jt, jf, k };
}

static void load(struct seccomp_filter *filter, uint32_t offset)
{
	add(filter, BPF_LD | BPF_W | BPF_ABS, 0, 0, offset);
}

static void end_with(struct seccomp_filter *filter, uint32_t action)
{
	add(filter, BPF_RET | BPF_K, 0, 0, action);
}

void seccomp_begin(struct seccomp_filter *filter)
{
	filter->n = 0;
	load(filter, offsetof(struct seccomp_data, arch));
	add(filter, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, THIS_ARCH);
	end_with(filter, SECCOMP_REFUSE(EPERM));
	load(filter, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
	add(filter, BPF_JMP | BPF_JSET | BPF_K, 0, 1, X32_BIT);
	end_with(filter, SECCOMP_REFUSE(ENOSYS));
#endif
}

void seccomp_add(struct seccomp_filter *filter, long number, uint32_t action)
{
	add(filter, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (uint32_t)number);
	end_with(filter, action);
}

void seccomp_add_all(struct seccomp_filter *filter, const int *numbers, size_t n, uint32_t action)
{
	for (size_t i = 0; i < n; i++)
		seccomp_add(filter, numbers[i], action);
}

static void add_test(struct seccomp_filter *filter, long number, unsigned argument, uint16_t test,
                     uint32_t value, uint32_t action, uint32_t otherwise)
{
	add(filter, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, (uint32_t)number);
	load(filter, ARGUMENT(argument));
	add(filter, BPF_JMP | test | BPF_K, 0, 1, value);
	end_with(filter, action);
	end_with(filter, otherwise);
}

void seccomp_add_equal(struct seccomp_filter *filter, long number, unsigned argument, uint32_t value,
                       uint32_t action, uint32_t otherwise)
{
	add_test(filter, number, argument, BPF_JEQ, value, action, otherwise);
}

void seccomp_add_bits(struct seccomp_filter *filter, long number, unsigned argument, uint32_t value,
                      uint32_t action, uint32_t otherwise)
{
	add_test(filter, number, argument, BPF_JSET, value, action, otherwise);
}

void seccomp_add_one_of(struct seccomp_filter *filter, long number, unsigned argument, const uint32_t *values,
                        size_t n, uint32_t action, uint32_t otherwise)
{
	assert(2 + 2 * n <= UINT8_MAX); /* as far as a jump goes */
	add(filter, BPF_JMP | BPF_JEQ | BPF_K, 0, (uint8_t)(2 + 2 * n), (uint32_t)number);
	load(filter, ARGUMENT(argument));
	for (size_t i = 0; i < n; i++) {
		add(filter, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, values[i]);
		end_with(filter, action);
	}
	end_with(filter, otherwise);
}

int seccomp_enter(struct seccomp_filter *filter, uint32_t otherwise, struct err *err)
{
	struct sock_fprog program;
	long r;

	if (THIS_ARCH == 0)
		return err_set(err, -EOPNOTSUPP, "the system calls of this processor are not known");
	end_with(filter, otherwise);
	program = (struct sock_fprog){ filter->n, filter->lines };
	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
	if (r > 0) /* the thread's number, and errno says nothing */
		return err_set(err, -ESRCH, "no filter of system calls: thread %ld has another one", r);
	if (r < 0)
		return err_set(err, errno == EINVAL || errno == ENOSYS ? -EOPNOTSUPP : -errno,
		               "no filter of system calls: %s", strerror(errno));
	return 0;
}
