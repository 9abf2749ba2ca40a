/* Copies that may write up to 31 bytes too many, into slack. */

/** `bytes` from `from` to `to`, in pieces of 16: for buffers apart, or at least 16 bytes apart with `from` before `to`. */
@inline
export function copyWide(to: u32, from: u32, bytes: u32): void {
  const end = to + bytes;
  do {
    v128.store(to, v128.load(from));
    to += 16;
    from += 16;
  } while (to < end);
}

/** A match: what was written last counts as source for what follows. */
@inline
export function copyMatch(to: u32, offset: u32, bytes: u32): void {
  let from = to - offset;
  const end = to + bytes;
  if (offset >= 16) {
    copyWide(to, from, bytes);
  } else if (offset == 1) {
    const splat = i8x16.splat(<i8>load<u8>(from));
    do {
      v128.store(to, splat);
      to += 16;
    } while (to < end);
  } else if (offset >= 8) {
    do {
      store<u64>(to, load<u64>(from));
      to += 8;
      from += 8;
    } while (to < end);
  } else {
    // A whole pattern first; then its double, which lies 8 or more before, is copied wide.
    const whole = offset * ((7 + offset) / offset);
    let i: u32 = 0;
    while (i < whole && to < end) {
      store<u8>(to++, load<u8>(from++));
      i++;
    }
    from = to - whole;
    while (to < end) {
      store<u64>(to, load<u64>(from));
      to += 8;
      from += 8;
    }
  }
}
