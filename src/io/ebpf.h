/* SPDX-License-Identifier: MIT
 *
 * An assembler for the few eBPF programs that are written here, and the system
 * call that loads them; no compiler and no library is needed for either.
 * Registers are numbers 0 to 10: 0 is a call's result, 1 to 5 its arguments,
 * 6 to 9 survive calls, 10 is the stack's end.
 */
#ifndef IO_EBPF_H
#define IO_EBPF_H

#include <linux/bpf.h>
#include <stdint.h>

enum { EBPF_PROGRAM_MAX = 512 };

struct ebpf {
    struct bpf_insn code[EBPF_PROGRAM_MAX];
    unsigned len;
};

/* dst = dst op k, dst = dst op src; 64 bits wide, and 32. op: BPF_ADD, BPF_MOV, ... */
void ebpf_alu(struct ebpf *p, unsigned op, unsigned dst, int32_t k);
void ebpf_alu_reg(struct ebpf *p, unsigned op, unsigned dst, unsigned src);
void ebpf_alu32(struct ebpf *p, unsigned op, unsigned dst, int32_t k);
void ebpf_alu32_reg(struct ebpf *p, unsigned op, unsigned dst, unsigned src);
/* Between registers and memory; size: BPF_B, BPF_H, BPF_W or BPF_DW. */
void ebpf_load(struct ebpf *p, unsigned size, unsigned dst, unsigned src, int offset);
void ebpf_store(struct ebpf *p, unsigned size, unsigned dst, int offset, unsigned src);
void ebpf_store_k(struct ebpf *p, unsigned size, unsigned dst, int offset, int32_t k);
/* A map's address into a register. */
void ebpf_load_map(struct ebpf *p, unsigned dst, int map_fd);
/* What is below 65536 keeps its value, and the verifier forgets what it knows of
 * it: paths through a loop look alike to it then, and it need not follow each. */
void ebpf_forget(struct ebpf *p, unsigned dst);
/* BPF_FUNC_*. */
void ebpf_call(struct ebpf *p, int function);
void ebpf_exit(struct ebpf *p);

/* Jump forward if dst op k (BPF_JEQ, BPF_JNE, BPF_JGE, ...), or always: to be
 * pointed at its target by ebpf_land. */
unsigned ebpf_jump_if(struct ebpf *p, unsigned op, unsigned dst, int32_t k);
unsigned ebpf_jump_if_reg(struct ebpf *p, unsigned op, unsigned dst, unsigned src);
unsigned ebpf_jump(struct ebpf *p);
void ebpf_land(struct ebpf *p, unsigned jump);
/* The jump goes back to instruction `target`. */
void ebpf_back(struct ebpf *p, unsigned jump, unsigned target);

/* A descriptor or a negative errno. */
int ebpf_map(unsigned type, unsigned key_size, unsigned value_size, unsigned entries);
int ebpf_map_set(int map_fd, const void *key, const void *value);
int ebpf_load_program(const struct ebpf *p, unsigned type);

#endif
