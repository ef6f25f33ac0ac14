/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * speech (private): what a guardian says to QEMU. It is made before there is the guardian, which as
 * a copy of a process with threads may take no lock.
 */
#pragma once

#include "guard.h"

/* The descriptor by which a monitor's socket is reached, in the guardian. */
#define QEMU_SPEECH_PIN 1
/* For each thing that QEMU is to say; it may have another client. */
#define QEMU_SPEECH_PATIENCE_MS 30000
#define QEMU_SPEECH_MAX_WORDS 4

/* Words as they are said. */
typedef struct {
	char *text;                          /* (nullable) to a socket */
	char **calls[QEMU_SPEECH_MAX_WORDS]; /* else: programs with their arguments */
	guint n;                          /* 0 once they are said: nobody is to hear them twice */
	gboolean lets_run, even_at_point; /* afterwards */
	char **ask_call, **run_call;      /* (lets_run) without a socket */
} QemuSpeech;

/* words: (nullable) as of QemuDuty; lets_run: then the guest is let run. */
void
qemu_speech_init(QemuSpeech *speech, const QemuGuardWay *way, const json_t *words,
		 gboolean lets_run);
void
qemu_speech_clear(QemuSpeech *speech);
/* By system calls only. FALSE: another try may help. */
gboolean
qemu_speech_say(QemuSpeech *speech);
