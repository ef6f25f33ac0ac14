/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* watch-line: see watch-line.h. A line is words between blanks; each kind takes its own in order,
 * what may stand at the end of every line is taken by all of them alike. */
#include "watch-line.h"

#include <vmifs/error.h>
#include <vmifs/text.h>

#include <string.h>

#define BLANKS " \t\r"
/* Of a line that is quoted in a message. */
#define QUOTE_LEN 80

static const char *const kind_words[] = { "mem", "exec", "reg", "int", "step", "task", "module" };
static const char *const access_words[] = { [VMIFS_STOP_EXEC] = "x",
					    [VMIFS_STOP_READ] = "r",
					    [VMIFS_STOP_WRITE] = "w",
					    [VMIFS_STOP_ACCESS] = "rw" };
static const char *const other_words[] = { "if", "count", "keep", "patch" };

const char *
vmifs_watch_kind_word(VmifsWatchKind kind)
{
	return kind_words[kind];
}

/* ---- words ---- */

/* The words of one line that are left. */
typedef struct {
	char **next;
} Words;

static gboolean
bad(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean
bad(GError **error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	if (error)
		*error = g_error_new_valist(VMIFS_ERROR, VMIFS_ERROR_INVALID, format, args);
	va_end(args);
	return FALSE;
}

static const char *
take(Words *words)
{
	return *words->next ? *words->next++ : NULL;
}

static gboolean
take_if(Words *words, const char *word)
{
	if (!*words->next || !g_str_equal(*words->next, word))
		return FALSE;
	words->next++;
	return TRUE;
}

/* Which of those it is; -1 = none. */
static int
find_word(const char *const *among, gsize n, const char *word)
{
	for (gsize i = 0; i < n; i++)
		if (g_str_equal(among[i], word))
			return (int) i;
	return -1;
}

/* len characters, all of them digits, decimal or, with 0x, hexadecimal. */
static gboolean
parse_digits(const char *text, gsize len, guint64 max, gboolean hex, guint64 *ret)
{
	guint64 value = 0;
	guint base = 10;
	if (hex && len > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
		len -= 2;
	}
	if (!len)
		return FALSE;
	for (gsize i = 0; i < len; i++) {
		int digit = g_ascii_xdigit_value(text[i]);
		if (digit < 0 || (guint) digit >= base ||
		    !g_uint64_checked_mul(&value, value, base) ||
		    !g_uint64_checked_add(&value, value, (guint64) digit))
			return FALSE;
	}
	if (value > max)
		return FALSE;
	*ret = value;
	return TRUE;
}

static gboolean
parse_number(const char *text, guint64 max, gboolean hex, guint64 *ret)
{
	return text && parse_digits(text, strlen(text), max, hex, ret);
}

/* ---- addresses ---- */

static gboolean
is_symbol_byte(char c)
{
	return g_ascii_isalnum(c) || c == '_' || c == '.' || c == '$';
}

/* 0xADDRESS or SYMBOL[+OFFSET], len characters. */
static gboolean
parse_address(const char *text, gsize len, VmifsWatchLine *line, GError **error)
{
	gsize n = 0;
	if (len && g_ascii_isdigit(text[0])) {
		if (len > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X') &&
		    parse_digits(text, len, G_MAXUINT64, TRUE, &line->address))
			return TRUE;
		return bad(error, "an address is hexadecimal, with 0x, or a symbol");
	}
	while (n < len && is_symbol_byte(text[n]))
		n++;
	if (!n || (n < len && text[n] != '+'))
		return bad(error, "that is neither an address (0x...) nor a symbol");
	if (n >= sizeof line->symbol)
		return bad(error, "no symbol has so long a name");
	if (n < len && !parse_digits(text + n + 1, len - n - 1, G_MAXUINT64, TRUE, &line->address))
		return bad(error, "what follows the + is no number");
	memcpy(line->symbol, text, n);
	return TRUE;
}

/* [PID:]ADDRESS[/LENGTH] */
static gboolean
parse_place(const char *word, VmifsWatchLine *line, GError **error)
{
	const char *colon = strchr(word, ':'), *slash = strchr(word, '/');
	guint64 number;
	if (colon) {
		if (!parse_digits(word, (gsize) (colon - word), G_MAXINT32, FALSE, &number) ||
		    !number)
			return bad(error, "before the colon stands a process's decimal number");
		line->pid = (guint32) number;
		word = colon + 1;
	}
	if (slash && slash < word)
		return bad(error, "the length stands behind the address");
	if (!parse_address(word, slash ? (gsize) (slash - word) : strlen(word), line, error))
		return FALSE;
	if (!slash)
		return TRUE;
	if (!parse_number(slash + 1, G_MAXUINT32, FALSE, &number) || !number)
		return bad(error, "the length is a decimal number of bytes");
	line->len = (guint32) number;
	return TRUE;
}

/* ---- each kind ---- */

static gboolean
parse_mem(Words *words, VmifsWatchLine *line, GError **error)
{
	const char *access = take(words), *place = take(words);
	int which = access ? find_word(access_words, G_N_ELEMENTS(access_words), access) : -1;
	if (which < 0)
		return bad(error, "mem is followed by r, w, x or rw");
	if (!place)
		return bad(error, "the address is missing");
	line->access = (VmifsStopKind) which;
	if (!parse_place(place, line, error))
		return FALSE;
	if (line->access == VMIFS_STOP_EXEC && line->len > 1)
		return bad(error, "execution is watched at one address, not over a length");
	return TRUE;
}

static gboolean
parse_condition(Words *words, VmifsWatchLine *line, GError **error)
{
	const char *word = take(words), *equals = word ? strstr(word, "==") : NULL;
	gsize n = equals ? (gsize) (equals - word) : 0;
	if (!n || n >= sizeof line->reg)
		return bad(error, "if is followed by REGISTER==VALUE, in one word");
	for (gsize i = 0; i < n; i++)
		if (!g_ascii_islower(word[i]) && !g_ascii_isdigit(word[i]) && word[i] != '_')
			return bad(error, "registers are named as in `regs`");
	if (!parse_number(equals + 2, G_MAXUINT64, TRUE, &line->value))
		return bad(error, "what a register is compared with is a number");
	memcpy(line->reg, word, n);
	return TRUE;
}

static gboolean
parse_exec(Words *words, VmifsWatchLine *line, GError **error)
{
	const char *place = take(words);
	if (!place)
		return bad(error, "the address is missing");
	return parse_address(place, strlen(place), line, error) &&
	       (!take_if(words, "if") || parse_condition(words, line, error));
}

static gboolean
parse_reg(Words *words, VmifsWatchLine *line, GError **error)
{
	static const char *const control[] = { "cr0", "cr3", "cr4" };
	const char *word = take(words);
	guint64 number;
	if (word && find_word(control, G_N_ELEMENTS(control), word) >= 0) {
		g_strlcpy(line->reg, word, sizeof line->reg);
		return TRUE;
	}
	if (!word || !g_str_has_prefix(word, "msr:") ||
	    !parse_number(word + 4, G_MAXUINT32, TRUE, &number))
		return bad(error, "reg is followed by cr0, cr3, cr4 or msr:NUMBER");
	g_strlcpy(line->reg, "msr", sizeof line->reg);
	line->number = (guint32) number;
	return TRUE;
}

static gboolean
parse_int(Words *words, VmifsWatchLine *line, GError **error)
{
	guint64 number;
	if (!parse_number(take(words), 255, TRUE, &number))
		return bad(error, "int is followed by a vector, 0 to 255");
	line->number = (guint32) number;
	return TRUE;
}

static gboolean
parse_step(Words *words, VmifsWatchLine *line, GError **error)
{
	const char *word = take(words);
	guint64 number;
	if (!word || !g_str_has_prefix(word, "vcpu") ||
	    !parse_number(word + 4, VMIFS_MAX_VCPUS - 1, FALSE, &number))
		return bad(error, "step is followed by vcpu0, vcpu1 ...");
	line->number = (guint32) number;
	if (take_if(words, "count") &&
	    (!parse_number(take(words), G_MAXUINT64, FALSE, &line->count) || !line->count))
		return bad(error, "count is followed by a decimal number");
	return TRUE;
}

static gboolean
parse_nothing(Words *words, VmifsWatchLine *line, GError **error)
{
	return TRUE;
}

static gboolean (*const kinds[])(Words *, VmifsWatchLine *, GError **) = {
	parse_mem, parse_exec, parse_reg, parse_int, parse_step, parse_nothing, parse_nothing,
};

/* ---- names and the end of a line ---- */

static gboolean
is_word(const char *text)
{
	static const char *const regs[] = { "cr0", "cr3", "cr4" };
	return find_word(kind_words, G_N_ELEMENTS(kind_words), text) >= 0 ||
	       find_word(access_words, G_N_ELEMENTS(access_words), text) >= 0 ||
	       find_word(other_words, G_N_ELEMENTS(other_words), text) >= 0 ||
	       find_word(regs, G_N_ELEMENTS(regs), text) >= 0;
}

static gboolean
set_name(VmifsWatchLine *line, const char *word, GError **error)
{
	gsize n = strlen(word);
	if (!g_ascii_isalpha(word[0]) && word[0] != '_')
		return bad(error, "a name begins with a letter");
	if (n >= sizeof line->name)
		return bad(error, "a name has %zu characters at most", sizeof line->name - 1);
	for (gsize i = 0; i < n; i++)
		if (!g_ascii_isalnum(word[i]) && !strchr("_-.", word[i]))
			return bad(error, "a name is letters, digits, _ - and .");
	if (is_word(word))
		return bad(error, "a line cannot be named as a word of the language");
	memcpy(line->name, word, n + 1);
	return TRUE;
}

static gboolean
parse_end(Words *words, VmifsWatchLine *line, GError **error)
{
	const char *word;
	while ((word = take(words))) {
		gboolean *flag = g_str_equal(word, "keep")    ? &line->keep
				 : g_str_equal(word, "patch") ? &line->patch
							      : NULL;
		if (flag ? *flag : line->name[0] || line->keep || line->patch)
			return bad(error, "there is more than [NAME] [keep] [patch] at its end");
		if (flag)
			*flag = TRUE;
		else if (!set_name(line, word, error))
			return FALSE;
	}
	return TRUE;
}

/* ---- lines ---- */

static gboolean
parse_words(Words *words, VmifsWatchLine *line, GError **error)
{
	const char *word = take(words);
	if (word[0] == '-') {
		line->is_removal = TRUE;
		if (*words->next)
			return bad(error, "more stands behind the name than that");
		return set_name(line, word + 1, error);
	}
	int kind = find_word(kind_words, G_N_ELEMENTS(kind_words), word);
	if (kind < 0)
		return bad(error, "a line begins with mem, exec, reg, int, step, task or module");
	line->kind = (VmifsWatchKind) kind;
	if (!kinds[kind](words, line, error) || !parse_end(words, line, error))
		return FALSE;
	if (line->patch && line->kind != VMIFS_WATCH_EXEC &&
	    !(line->kind == VMIFS_WATCH_MEM && line->access == VMIFS_STOP_EXEC))
		return bad(error, "patch is for what watches the execution of an address");
	return TRUE;
}

/* text: one line; it is changed. FALSE without error: there is nothing in it. */
static gboolean
parse_line(char *text, VmifsWatchLine *line, GError **error)
{
	g_autofree char *quote = g_strndup(text, QUOTE_LEN);
	g_autoptr(GPtrArray) list = g_ptr_array_new();
	GError *failure = NULL;
	char *comment = strchr(text, '#'), *rest = NULL;
	if (comment)
		*comment = '\0';
	for (char *word = strtok_r(text, BLANKS, &rest); word; word = strtok_r(NULL, BLANKS, &rest))
		g_ptr_array_add(list, word);
	if (!list->len)
		return FALSE;
	g_ptr_array_add(list, NULL);
	Words words = { (char **) list->pdata };
	if (parse_words(&words, line, &failure))
		return TRUE;
	g_autoptr(GString) shown = g_string_new(NULL);
	vmifs_text_append_octal(shown, quote, -1, NULL);
	g_set_error(error, VMIFS_ERROR, VMIFS_ERROR_INVALID, "'%s' was not understood: %s",
		    shown->str, failure->message);
	g_error_free(failure);
	return FALSE;
}

GArray *
vmifs_watch_lines_parse(const char *text, gsize len, GError **error)
{
	g_autoptr(GArray) lines = g_array_new(FALSE, TRUE, sizeof(VmifsWatchLine));
	if (len > VMIFS_WATCH_MAX_TEXT || memchr(text, '\0', len)) {
		bad(error, "%s",
		    len > VMIFS_WATCH_MAX_TEXT ? "so much is not written at once"
					       : "that is no text");
		return NULL;
	}
	g_autofree char *copy = g_strndup(text, len);
	for (char *at = copy; at;) {
		char *end = strchr(at, '\n');
		VmifsWatchLine line = { 0 };
		GError *failure = NULL;
		if (end)
			*end++ = '\0';
		if (parse_line(at, &line, &failure))
			g_array_append_val(lines, line);
		if (failure) {
			g_propagate_error(error, failure);
			return NULL;
		}
		at = end;
	}
	return g_steal_pointer(&lines);
}

/* ---- back to text ---- */

static void
append_place(const VmifsWatchLine *line, GString *out)
{
	if (line->pid)
		g_string_append_printf(out, "%u:", line->pid);
	g_string_append(out, line->symbol);
	if (!line->symbol[0] || line->address)
		g_string_append_printf(out, "%s0x%" G_GINT64_MODIFIER "x",
				       line->symbol[0] ? "+" : "", line->address);
	if (line->len)
		g_string_append_printf(out, "/%u", line->len);
}

static void
append_own(const VmifsWatchLine *line, GString *out)
{
	switch (line->kind) {
	case VMIFS_WATCH_MEM:
		g_string_append_printf(out, " %s ", access_words[line->access]);
		append_place(line, out);
		break;
	case VMIFS_WATCH_EXEC:
		g_string_append_c(out, ' ');
		append_place(line, out);
		if (line->reg[0])
			g_string_append_printf(out, " if %s==0x%" G_GINT64_MODIFIER "x", line->reg,
					       line->value);
		break;
	case VMIFS_WATCH_REG:
		g_string_append_printf(out, " %s", line->reg);
		if (g_str_equal(line->reg, "msr"))
			g_string_append_printf(out, ":0x%x", line->number);
		break;
	case VMIFS_WATCH_INT:
		g_string_append_printf(out, " %u", line->number);
		break;
	case VMIFS_WATCH_STEP:
		g_string_append_printf(out, " vcpu%u", line->number);
		if (line->count)
			g_string_append_printf(out, " count %" G_GUINT64_FORMAT, line->count);
		break;
	case VMIFS_WATCH_TASK:
	case VMIFS_WATCH_MODULE:
		break;
	}
}

void
vmifs_watch_line_text(const VmifsWatchLine *line, GString *out)
{
	if (line->is_removal) {
		g_string_append_printf(out, "-%s", line->name);
		return;
	}
	g_string_append(out, kind_words[line->kind]);
	append_own(line, out);
	if (line->name[0])
		g_string_append_printf(out, " %s", line->name);
	if (line->keep)
		g_string_append(out, " keep");
	if (line->patch)
		g_string_append(out, " patch");
}
