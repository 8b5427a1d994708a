// SPDX-License-Identifier: Apache-2.0
//
// ofdlock FILE START LENGTH r|w: tries to take an open-file-description lock, says "locked" or
// "refused", and holds it until standard input ends.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	int fd = open(argv[1], O_RDWR);
	struct flock lock = {
		.l_type = argv[4][0] == 'w' ? F_WRLCK : F_RDLCK,
		.l_whence = SEEK_SET,
		.l_start = atol(argv[2]),
		.l_len = atol(argv[3]),
	};
	if (fd < 0)
		return 1;
	puts(fcntl(fd, F_OFD_SETLK, &lock) == 0 ? "locked" : "refused");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
