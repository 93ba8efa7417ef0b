/* SPDX-License-Identifier: MIT */
#include "io/ebpf.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static unsigned emit(struct ebpf *p, unsigned code, unsigned dst, unsigned src, int offset,
                     int32_t k)
{
    assert(p->len < EBPF_PROGRAM_MAX);
    p->code[p->len] = (struct bpf_insn){.code = (uint8_t)code,
                                        .dst_reg = (uint8_t)(dst & 15),
                                        .src_reg = (uint8_t)(src & 15),
                                        .off = (int16_t)offset,
                                        .imm = k};
    return p->len++;
}

void ebpf_alu(struct ebpf *p, unsigned op, unsigned dst, int32_t k)
{
    emit(p, BPF_ALU64 | op | BPF_K, dst, 0, 0, k);
}

void ebpf_alu_reg(struct ebpf *p, unsigned op, unsigned dst, unsigned src)
{
    emit(p, BPF_ALU64 | op | BPF_X, dst, src, 0, 0);
}

void ebpf_alu32(struct ebpf *p, unsigned op, unsigned dst, int32_t k)
{
    emit(p, BPF_ALU | op | BPF_K, dst, 0, 0, k);
}

void ebpf_alu32_reg(struct ebpf *p, unsigned op, unsigned dst, unsigned src)
{
    emit(p, BPF_ALU | op | BPF_X, dst, src, 0, 0);
}

void ebpf_load(struct ebpf *p, unsigned size, unsigned dst, unsigned src, int offset)
{
    emit(p, BPF_LDX | BPF_MEM | size, dst, src, offset, 0);
}

void ebpf_store(struct ebpf *p, unsigned size, unsigned dst, int offset, unsigned src)
{
    emit(p, BPF_STX | BPF_MEM | size, dst, src, offset, 0);
}

void ebpf_store_k(struct ebpf *p, unsigned size, unsigned dst, int offset, int32_t k)
{
    emit(p, BPF_ST | BPF_MEM | size, dst, 0, offset, k);
}

void ebpf_load_map(struct ebpf *p, unsigned dst, int map_fd)
{
    emit(p, BPF_LD | BPF_DW | BPF_IMM, dst, BPF_PSEUDO_MAP_FD, 0, map_fd);
    emit(p, 0, 0, 0, 0, 0);
}

void ebpf_forget(struct ebpf *p, unsigned dst)
{
    for (unsigned i = 0; i < 2; i++) /* the bytes change places, and back */
        emit(p, BPF_ALU | BPF_END | BPF_TO_BE, dst, 0, 0, 16);
}

void ebpf_call(struct ebpf *p, int function)
{
    emit(p, BPF_JMP | BPF_CALL, 0, 0, 0, function);
}

void ebpf_exit(struct ebpf *p)
{
    emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

unsigned ebpf_jump_if(struct ebpf *p, unsigned op, unsigned dst, int32_t k)
{
    return emit(p, BPF_JMP | op | BPF_K, dst, 0, 0, k);
}

unsigned ebpf_jump_if_reg(struct ebpf *p, unsigned op, unsigned dst, unsigned src)
{
    return emit(p, BPF_JMP | op | BPF_X, dst, src, 0, 0);
}

unsigned ebpf_jump(struct ebpf *p)
{
    return ebpf_jump_if(p, BPF_JA, 0, 0);
}

void ebpf_back(struct ebpf *p, unsigned jump, unsigned target)
{
    p->code[jump].off = (int16_t)((int)target - (int)jump - 1);
}

void ebpf_land(struct ebpf *p, unsigned jump)
{
    ebpf_back(p, jump, p->len);
}

/* ---- the system call ------------------------------------------------------------- */

static int call(int command, union bpf_attr *attr, size_t size)
{
    long result = syscall(SYS_bpf, command, attr, size);

    return result < 0 ? -errno : (int)result;
}

int ebpf_map(unsigned type, unsigned key_size, unsigned value_size, unsigned entries)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof attr);
    attr.map_type = type;
    attr.key_size = key_size;
    attr.value_size = value_size;
    attr.max_entries = entries;
    return call(BPF_MAP_CREATE, &attr, sizeof attr);
}

int ebpf_map_set(int map_fd, const void *key, const void *value)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof attr);
    attr.map_fd = (uint32_t)map_fd;
    attr.key = (uint64_t)(uintptr_t)key;
    attr.value = (uint64_t)(uintptr_t)value;
    return call(BPF_MAP_UPDATE_ELEM, &attr, sizeof attr);
}

int ebpf_load_program(const struct ebpf *p, unsigned type)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof attr);
    attr.prog_type = type;
    attr.insns = (uint64_t)(uintptr_t)p->code;
    attr.insn_cnt = p->len;
    attr.license = (uint64_t)(uintptr_t) "MIT";
    return call(BPF_PROG_LOAD, &attr, sizeof attr);
}
