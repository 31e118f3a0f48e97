import type { RealtimeError } from "./errors.js";

/**
 * - `disconnected`: not asked to connect yet, or asked to disconnect
 * - `connecting`: for the first time
 * - `connected`
 * - `reconnecting`: the connection was lost, or could not be had; it is tried again
 * - `suspended`: so for longer than `suspendAfter`; it is still tried, and it is time to tell the user
 * - `closed`: for good
 */
export type ConnectionStateName = "disconnected" | "connecting" | "connected" | "reconnecting" | "suspended" | "closed";

export interface ConnectionState {
  readonly name: ConnectionStateName;
  /** Why it is not connected. */
  readonly reason?: RealtimeError;
  /** When the next attempt begins, in milliseconds as of `Date.now()`; absent while one is under way. */
  readonly retryAt?: number;
}
