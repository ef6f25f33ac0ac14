/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * small-kernel: a program that is no kernel, with a type of each kind that kernels have. The test
 * that reads its ELF file has them, too: its own compiler says what they have to be.
 */
#pragma once

struct small_list {
	struct small_list *next, *prev;
};

enum small_kind {
	SMALL_FIRST,
	SMALL_MINUS = -3,
	SMALL_LARGE = 0x7ffffff0,
};

typedef struct {
	unsigned char bytes[3];
} small_token_t;

union small_union {
	int number;
	char text[11];
};

struct small_never;

struct small_task {
	int pid;
	struct small_list tasks;
	char comm[16];
	unsigned int low : 3;
	unsigned int : 4;
	unsigned int mode : 5;
	unsigned long long wide : 33;
	union {
		int inner;
		struct {
			short pad, deepest;
		};
	};
	struct {
		short deep[2][3];
	} named;
	enum small_kind kind;
	enum { SMALL_OTHER = 17 } other;
	const volatile struct small_never *mm;
	void (*function)(int number);
	void *restrict bare;
	small_token_t token;
	_Bool is;
	struct small_list open[];
};

#define SMALL_BANNER "Linux version 6.1.0-small (someone) #1"
#define SMALL_BUILD_ID "00aabbccddeeff11"
#define SMALL_BTF_ROOM 4096
#define SMALL_BTF_MARK "here goes what the test says of types"
