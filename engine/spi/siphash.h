/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * siphash: J.-P. Aumasson and D. J. Bernstein, "SipHash: a fast short-input PRF", 2012, by its
 * parts: the kernel hashes with it what it does not want to show, and we what strangers name.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

static inline guint64
vmifs_sip_rotate(guint64 x, guint bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void
vmifs_sip_rounds(guint64 v[4], guint n)
{
	while (n--) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = vmifs_sip_rotate(v[1], 13) ^ v[0];
		v[3] = vmifs_sip_rotate(v[3], 16) ^ v[2];
		v[0] = vmifs_sip_rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = vmifs_sip_rotate(v[1], 17) ^ v[2];
		v[3] = vmifs_sip_rotate(v[3], 21) ^ v[0];
		v[2] = vmifs_sip_rotate(v[2], 32);
	}
}

static inline void
vmifs_sip_start(guint64 v[4], guint64 key0, guint64 key1)
{
	v[0] = key0 ^ G_GUINT64_CONSTANT(0x736f6d6570736575);
	v[1] = key1 ^ G_GUINT64_CONSTANT(0x646f72616e646f6d);
	v[2] = key0 ^ G_GUINT64_CONSTANT(0x6c7967656e657261);
	v[3] = key1 ^ G_GUINT64_CONSTANT(0x7465646279746573);
}

/* Eight bytes of what is hashed. The last ones have its length in the highest byte. */
static inline void
vmifs_sip_add(guint64 v[4], guint64 word, guint rounds)
{
	v[3] ^= word;
	vmifs_sip_rounds(v, rounds);
	v[0] ^= word;
}

static inline guint64
vmifs_sip_end(guint64 v[4], guint rounds)
{
	v[2] ^= 0xff;
	vmifs_sip_rounds(v, rounds);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

G_END_DECLS
