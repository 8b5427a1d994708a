// SPDX-License-Identifier: Apache-2.0

/** The NBD server: negotiation as straight-line code, transmission on the fast lane. */
package dev.spindle.block.export.nbd;
