/** What every other folder may use, and which uses none of them. */
export * from "./assert.ts";
export * from "./bytes.ts";
export * from "./c_library.ts";
export * from "./check_range.ts";
export * from "./describe_value.ts";
export * from "./digest.ts";
export * from "./errors.ts";
export * from "./file_range_source.ts";
export * from "./limiter.ts";
export * from "./local_readers.ts";
export * from "./log.ts";
export * from "./plain_error.ts";
export * from "./range_source.ts";
export * from "./retry.ts";
export * from "./single_flight.ts";
export * from "./units.ts";
export * from "./write_file.ts";
