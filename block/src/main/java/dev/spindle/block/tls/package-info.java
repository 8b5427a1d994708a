// SPDX-License-Identifier: Apache-2.0

/** What servers and clients prove themselves with. */
package dev.spindle.block.tls;
