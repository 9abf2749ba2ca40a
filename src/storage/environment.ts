/** An environment variable; undefined where it is not set. */
export type Environment = (name: string) => string | undefined;
