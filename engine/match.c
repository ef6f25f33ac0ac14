/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * match: the search itself. The loops are written once, with the compiler's vectors of 32 bytes,
 * and compiled twice on x86: for AVX2 and for what every CPU has. Data is read within bounds only
 * and need not be aligned.
 *
 *   start of a match s            s + anchor          s + other
 *        |--------- pattern ----------x------------------y-----|
 *
 * A page is searched for anchors, so a match may begin in the page before and end in the next. A
 * page of zeros holds no anchor, since that is never a zero byte, and is passed over.
 */
#include "match.h"

#include <string.h>

#define PAGE 4096
#define GROUP 128 /* bytes looked at before the first branch */

typedef guint8 Bytes __attribute__((vector_size(32), aligned(1), may_alias));
typedef guint32 Words __attribute__((vector_size(32), aligned(1), may_alias));
typedef guint64 Quads __attribute__((vector_size(32)));

typedef enum { BY_BYTES, BY_WORD, BY_STRIDE } Method;

typedef struct {
	const VmifsPattern *pattern;
	Method method;
	gsize anchor; /* offset of the rare byte or word */
	gsize other;  /* BY_BYTES: offset of the second byte */
} Search;

struct VmifsMatcher {
	Search *searches;
	gsize n;
	gsize longest;
	gboolean heads;
	gboolean zeros_matter; /* a pattern of nothing but zeros */
	const struct kernels *kernels;
};

/* ---- vector loops ---- */

/* Each returns the first multiple of GROUP, from `from` on, whose group may hold what is looked
 * for; n (a multiple of GROUP) when there is none. */
struct kernels {
	gsize (*pair)(const guint8 *a, const guint8 *b, guint8 x, guint8 y, gsize from, gsize n);
	gsize (*word)(const guint8 *a, guint32 x, gsize from, gsize n);
	gboolean (*is_zero)(const guint8 *data, gsize n); /* n: a multiple of GROUP */
};

#define INLINE static inline __attribute__((always_inline))

INLINE gboolean
any_bit(const Quads *v)
{
	return ((*v)[0] | (*v)[1] | (*v)[2] | (*v)[3]) != 0;
}

INLINE gsize
pair_loop(const guint8 *a, const guint8 *b, guint8 x, guint8 y, gsize from, gsize n)
{
	const Bytes vx = (Bytes){ 0 } + x, vy = (Bytes){ 0 } + y;

	for (gsize i = from; i < n; i += GROUP) {
		Quads found = { 0 };
		for (gsize j = 0; j < GROUP; j += sizeof(Bytes))
			found |= (Quads) ((*(const Bytes *) (a + i + j) == vx) &
					  (*(const Bytes *) (b + i + j) == vy));
		if (any_bit(&found))
			return i;
	}
	return n;
}

INLINE gsize
word_loop(const guint8 *a, guint32 x, gsize from, gsize n)
{
	const Words vx = (Words){ 0 } + x;

	for (gsize i = from; i < n; i += GROUP) {
		Quads found = { 0 };
		for (gsize j = 0; j < GROUP; j += sizeof(Words))
			found |= (Quads) (*(const Words *) (a + i + j) == vx);
		if (any_bit(&found))
			return i;
	}
	return n;
}

INLINE gboolean
zero_loop(const guint8 *data, gsize n)
{
	for (gsize i = 0; i < n; i += GROUP) {
		Bytes all = { 0 };
		for (gsize j = 0; j < GROUP; j += sizeof(Bytes))
			all |= *(const Bytes *) (data + i + j);
		Quads found = (Quads) all;
		if (any_bit(&found))
			return FALSE;
	}
	return TRUE;
}

#define KERNELS(name, attributes)                                                                  \
	attributes static gsize name##_pair(const guint8 *a, const guint8 *b, guint8 x, guint8 y,  \
					    gsize from, gsize n)                                   \
	{                                                                                          \
		return pair_loop(a, b, x, y, from, n);                                             \
	}                                                                                          \
	attributes static gsize name##_word(const guint8 *a, guint32 x, gsize from, gsize n)       \
	{                                                                                          \
		return word_loop(a, x, from, n);                                                   \
	}                                                                                          \
	attributes static gboolean name##_is_zero(const guint8 *data, gsize n)                     \
	{                                                                                          \
		return zero_loop(data, n);                                                         \
	}                                                                                          \
	static const struct kernels name = { name##_pair, name##_word, name##_is_zero }

KERNELS(any_cpu, );
#ifdef __x86_64__
KERNELS(avx2, __attribute__((target("avx2"))));
#endif

static const struct kernels *
choose_kernels(void)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2"))
		return &avx2;
#endif
	return &any_cpu;
}

/* ---- patterns ---- */

/* How often a byte is met in memory, roughly: zeros, text and code are everywhere. */
static guint
commonness(guint8 byte)
{
	if (byte == 0)
		return 1000;
	if (byte == 0xff || byte == ' ' || byte == 0x48)
		return 100;
	if (g_ascii_islower(byte) || byte < 0x10)
		return 60;
	if (g_ascii_isprint(byte) || byte == 0x8b || byte == 0x89 || byte == 0xe8)
		return 40;
	return 10;
}

static void
choose_bytes(Search *search)
{
	const VmifsPattern *p = search->pattern;

	for (gsize i = 1; i < p->len; i++)
		if (commonness(p->bytes[i]) < commonness(p->bytes[search->anchor]))
			search->anchor = i;
	search->other = search->anchor == 0;
	for (gsize i = 0; i < p->len; i++)
		if (i != search->anchor &&
		    commonness(p->bytes[i]) < commonness(p->bytes[search->other]))
			search->other = i;
}

static guint32
word_at(const guint8 *bytes)
{
	guint32 word;

	memcpy(&word, bytes, sizeof word);
	return word;
}

/* Keeps to bytes when the only whole word is zero. */
static void
choose_word(Search *search)
{
	const guint8 *bytes = search->pattern->bytes;
	guint least = G_MAXUINT;

	for (gsize i = 0; i + 4 <= search->pattern->len; i += 4) {
		guint sum = 0;
		for (gsize j = 0; j < 4; j++)
			sum += commonness(bytes[i + j]);
		if (sum < least && word_at(bytes + i)) {
			least = sum;
			search->method = BY_WORD;
			search->anchor = i;
		}
	}
}

VmifsMatcher *
vmifs_matcher_new(const VmifsPattern *const *patterns, gsize n, gboolean heads)
{
	static const guint8 zeros[VMIFS_PATTERN_MAX];
	VmifsMatcher *matcher = g_new0(VmifsMatcher, 1);

	matcher->searches = g_new0(Search, n);
	matcher->n = n;
	matcher->heads = heads;
	matcher->kernels = choose_kernels();
	for (gsize i = 0; i < n; i++) {
		Search *search = &matcher->searches[i];
		const VmifsPattern *p = patterns[i];
		g_assert(p->len >= 4 && p->len <= VMIFS_PATTERN_MAX && p->align);
		g_assert(!heads || p->align % PAGE == 0);
		search->pattern = p;
		matcher->longest = MAX(matcher->longest, p->len);
		matcher->zeros_matter |= !memcmp(p->bytes, zeros, p->len);
		if (p->align >= 64) {
			search->method = BY_STRIDE;
			choose_bytes(search);
		} else {
			choose_bytes(search);
			if (p->align % 4 == 0)
				choose_word(search);
		}
	}
	return matcher;
}

void
vmifs_matcher_free(VmifsMatcher *matcher)
{
	g_free(matcher->searches);
	g_free(matcher);
}

gsize
vmifs_matcher_longest(const VmifsMatcher *matcher)
{
	return matcher->longest;
}

/* ---- search ---- */

/* One run and who wants to know. */
typedef struct {
	const VmifsMatcher *matcher;
	const guint8 *data;
	guint64 pa;
	VmifsMatchHit hit;
	gpointer user;
} Run;

static void
check(const Run *run, gsize index, gsize at)
{
	const VmifsPattern *p = run->matcher->searches[index].pattern;

	if ((run->pa + at) % p->align == 0 && !memcmp(run->data + at, p->bytes, p->len))
		run->hit(index, run->pa + at, run->user);
}

/* Starts in [from, to), none of which ends behind the run. */
static void
search_bytes(const Run *run, gsize index, gsize from, gsize to)
{
	const Search *search = &run->matcher->searches[index];
	const guint8 *a = run->data + from + search->anchor, *b = run->data + from + search->other;
	guint8 x = search->pattern->bytes[search->anchor];
	guint8 y = search->pattern->bytes[search->other];
	gsize n = to - from, whole = n - n % GROUP;

	for (gsize i = 0; i < n; i += GROUP) {
		if (i < whole)
			i = run->matcher->kernels->pair(a, b, x, y, i, whole);
		for (gsize j = i; j < MIN(i + GROUP, n); j++) {
			if (a[j] == x && b[j] == y)
				check(run, index, from + j);
		}
	}
}

static void
search_words(const Run *run, gsize index, gsize from, gsize to)
{
	const Search *search = &run->matcher->searches[index];
	guint32 x = word_at(search->pattern->bytes + search->anchor);

	from += (4 - (run->pa + from) % 4) % 4;
	if (from >= to)
		return;
	const guint8 *a = run->data + from + search->anchor;
	gsize n = to - from, whole = n - n % GROUP;
	for (gsize i = 0; i < n; i += GROUP) {
		if (i < whole)
			i = run->matcher->kernels->word(a, x, i, whole);
		for (gsize j = i; j < MIN(i + GROUP, n); j += 4) {
			if (word_at(a + j) == x)
				check(run, index, from + j);
		}
	}
}

static void
search_stride(const Run *run, gsize index, gsize from, gsize to)
{
	const Search *search = &run->matcher->searches[index];
	guint32 align = search->pattern->align;
	guint8 x = search->pattern->bytes[search->anchor];

	from += (align - (run->pa + from) % align) % align;
	for (gsize at = from; at < to; at += align) {
		if (run->data[at + search->anchor] == x)
			check(run, index, at);
	}
}

static void (*const searchers[])(const Run *run, gsize index, gsize from, gsize to) = {
	[BY_BYTES] = search_bytes,
	[BY_WORD] = search_words,
	[BY_STRIDE] = search_stride,
};

/* Anchors in [start, start + len) of a run of run_len bytes. */
static void
search_page(const Run *run, gsize run_len, gsize start, gsize len)
{
	const VmifsMatcher *m = run->matcher;

	if (!m->zeros_matter && len % GROUP == 0 && m->kernels->is_zero(run->data + start, len))
		return;
	for (gsize i = 0; i < m->n; i++) {
		const Search *search = &m->searches[i];
		gsize from = start > search->anchor ? start - search->anchor : 0;
		gsize to = start + len > search->anchor ? start + len - search->anchor : 0;
		if (search->pattern->len > run_len)
			continue;
		to = MIN(to, run_len - search->pattern->len + 1);
		if (from < to)
			searchers[search->method](run, i, from, to);
	}
}

void
vmifs_matcher_find(const VmifsMatcher *matcher, const guint8 *data, gsize len, guint64 pa,
		   VmifsMatchHit hit, gpointer user)
{
	Run run = { matcher, data, pa, hit, user };

	if (matcher->heads) {
		for (gsize i = 0; i < matcher->n; i++) {
			gsize n = matcher->searches[i].pattern->len;
			if (n <= len)
				search_stride(&run, i, 0, len - n + 1);
		}
		return;
	}
	/* In pages as the guest has them, so that no aligned word lies across two. */
	for (gsize at = 0, n; at < len; at += n) {
		n = MIN(PAGE - (pa + at) % PAGE, len - at);
		search_page(&run, len, at, n);
	}
}

void
vmifs_matcher_find_over(const VmifsMatcher *matcher, const guint8 *data, gsize len, guint64 pa,
			gsize seam, VmifsMatchHit hit, gpointer user)
{
	Run run = { matcher, data, pa, hit, user };

	for (gsize i = 0; i < matcher->n; i++) {
		gsize n = matcher->searches[i].pattern->len;
		gsize from = seam >= n ? seam - n + 1 : 0;
		for (gsize at = from; at < seam && n <= len && at <= len - n; at++)
			check(&run, i, at);
	}
}
