// SPDX-License-Identifier: Apache-2.0

/** io_uring by system calls alone: rings, submissions, completions, registration. */
package dev.spindle.linux.uring;
