/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A process that forks all the time: forks [CPU_MS]. Children burn for 3 ms and fork one grandchild each,
 * which outlives them.
 */
/* STACK: MAIN fork_once @libc* */
/* STACK: MAIN fork_once (child (child_down|grandchild_down) burn) */
/* STACK: MAIN fork_once child @libc* */
/* STACK: MAIN fork_once child @libc* @ld* */
/* PROGRAM_CFLAGS: -O2 */
#include "known.h"

#include <sys/wait.h>
#include <unistd.h>

FRAME static void grandchild_down(void)
{
	for (int i = 0; i < 100; i++)
		burn();
}

FRAME static void child_down(void)
{
	for (int i = 0; i < 60; i++)
		burn();
}

FRAME static void child(void)
{
	if (!fork())
		grandchild_down();
	else
		child_down();
	NOT_A_TAIL_CALL();
	_exit(0);
}

FRAME static void fork_once(void)
{
	pid_t pid = fork();

	if (!pid)
		child();
	waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	while (goes_on_with_children())
		fork_once();
	return 0;
}
