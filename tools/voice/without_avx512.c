/* Lets a program believe that this processor has no AVX-512 and no AMX, to measure what it does with AVX2 only.
 *
 *     gcc -O2 -shared -fPIC -o /tmp/without_avx512.so tools/voice/without_avx512.c
 *     LD_PRELOAD=/tmp/without_avx512.so visavis bench speech
 *
 * onnxruntime has no switch for it and asks the processor itself. Linux lets a process forbid itself the instruction that
 * asks (arch_prctl ARCH_SET_CPUID, where /proc/cpuinfo shows cpuid_fault): each use is then a signal, which is answered here with what
 * the processor says less those features. Programs that choose their code by it run what they would run on an older processor; the
 * caches, the clock and the memory stay those of this one.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define ARCH_SET_CPUID 0x1012

static struct sigaction before;

static void allow(long on) { syscall(SYS_arch_prctl, ARCH_SET_CPUID, on); }

static void answer(int number, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned char *code = (const unsigned char *)registers[REG_RIP];
    if (info->si_code != SI_KERNEL || code[0] != 0x0f || code[1] != 0xa2) { /* a fault of the program's own */
        sigaction(number, &before, NULL);
        return;
    }
    unsigned leaf = registers[REG_RAX], part = registers[REG_RCX], a, b, c, d;
    allow(1);
    __cpuid_count(leaf, part, a, b, c, d);
    allow(0);
    if (leaf == 7 && part == 0) {
        b &= ~(1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31);
        c &= ~(1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14);
        d &= ~(1u << 2 | 1u << 3 | 1u << 8 | 1u << 22 | 1u << 23 | 1u << 24 | 1u << 25);
    } else if (leaf == 7 && part == 1) {
        a &= ~(1u << 4 | 1u << 5 | 1u << 21 | 1u << 23); /* AVX-VNNI goes as well: Haswell to Zen 3 have none */
        d &= ~(1u << 4 | 1u << 5 | 1u << 10);
    }
    registers[REG_RAX] = a, registers[REG_RBX] = b, registers[REG_RCX] = c, registers[REG_RDX] = d;
    registers[REG_RIP] += 2;
}

__attribute__((constructor)) static void start(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = answer;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(SIGSEGV, &action, &before);
    if (syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0L) != 0) {
        fputs("this processor (or its hypervisor) cannot forbid CPUID\n", stderr);
        exit(1);
    }
}
