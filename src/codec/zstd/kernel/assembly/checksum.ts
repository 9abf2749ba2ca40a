/* XXH64 of a frame's content, seed 0. Source: RFC 8878, section 3.1.1; xxHash specification 0.1.1. */
import { XXH, XXH_PENDING } from "./layout";

const PRIME1: u64 = 0x9e3779b185ebca87;
const PRIME2: u64 = 0xc2b2ae3d27d4eb4f;
const PRIME3: u64 = 0x165667b19e3779f9;
const PRIME4: u64 = 0x85ebca77c2b2ae63;
const PRIME5: u64 = 0x27d4eb2f165667c5;

let totalBytes: u64 = 0;
let pending: u32 = 0;

@inline
function round(lane: u64, value: u64): u64 {
  return rotl<u64>(lane + value * PRIME2, 31) * PRIME1;
}

export function resetChecksum(): void {
  totalBytes = 0;
  pending = 0;
  store<u64>(XXH, PRIME1 + PRIME2);
  store<u64>(XXH, PRIME2, 8);
  store<u64>(XXH, 0, 16);
  store<u64>(XXH, 0 - PRIME1, 24);
}

function stripes(from: u32, end: u32): u32 {
  let lane1 = load<u64>(XXH);
  let lane2 = load<u64>(XXH, 8);
  let lane3 = load<u64>(XXH, 16);
  let lane4 = load<u64>(XXH, 24);
  let at = from;
  while (at + 32 <= end) {
    lane1 = round(lane1, load<u64>(at));
    lane2 = round(lane2, load<u64>(at, 8));
    lane3 = round(lane3, load<u64>(at, 16));
    lane4 = round(lane4, load<u64>(at, 24));
    at += 32;
  }
  store<u64>(XXH, lane1);
  store<u64>(XXH, lane2, 8);
  store<u64>(XXH, lane3, 16);
  store<u64>(XXH, lane4, 24);
  return at;
}

/** Takes in [from, end). */
export function addToChecksum(from: u32, end: u32): void {
  totalBytes += end - from;
  let at = from;
  if (pending > 0) {
    const taken = min<u32>(32 - pending, end - at);
    memory.copy(XXH_PENDING + pending, at, taken);
    pending += taken;
    at += taken;
    if (pending < 32) return;
    stripes(XXH_PENDING, XXH_PENDING + 32);
    pending = 0;
  }
  at = stripes(at, end);
  pending = end - at;
  memory.copy(XXH_PENDING, at, pending);
}

@inline
function merge(hash: u64, lane: u64): u64 {
  return (hash ^ round(0, lane)) * PRIME1 + PRIME4;
}

/** The lowest 32 bits of the hash of all that was taken in. */
export function checksum(): u32 {
  let hash: u64;
  if (totalBytes >= 32) {
    const lane1 = load<u64>(XXH);
    const lane2 = load<u64>(XXH, 8);
    const lane3 = load<u64>(XXH, 16);
    const lane4 = load<u64>(XXH, 24);
    hash = rotl<u64>(lane1, 1) + rotl<u64>(lane2, 7) + rotl<u64>(lane3, 12) + rotl<u64>(lane4, 18);
    hash = merge(merge(merge(merge(hash, lane1), lane2), lane3), lane4);
  } else {
    hash = PRIME5;
  }
  hash += totalBytes;
  let at = XXH_PENDING;
  const end = XXH_PENDING + pending;
  for (; at + 8 <= end; at += 8) hash = rotl<u64>(hash ^ round(0, load<u64>(at)), 27) * PRIME1 + PRIME4;
  if (at + 4 <= end) {
    hash = rotl<u64>(hash ^ (<u64>load<u32>(at) * PRIME1), 23) * PRIME2 + PRIME3;
    at += 4;
  }
  for (; at < end; at++) hash = rotl<u64>(hash ^ (<u64>load<u8>(at) * PRIME5), 11) * PRIME1;
  hash = (hash ^ (hash >> 33)) * PRIME2;
  hash = (hash ^ (hash >> 29)) * PRIME3;
  return <u32>(hash ^ (hash >> 32));
}
