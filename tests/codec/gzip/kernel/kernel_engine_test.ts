/** The kernel behind the gzip codec keeps the contract that every engine keeps. */
import { KernelEngine } from "../../../../src/codec/gzip/kernel/mod.ts";
import { gzipCodec } from "../../../../src/codec/gzip/mod.ts";
import { codecContract } from "../../codec_contract.ts";
import { commandStreams, handmadeStreams, nodeStreams } from "../streams.ts";

const kernelGzip = gzipCodec(() => new KernelEngine());

codecContract(kernelGzip, nodeStreams, "gzip by the kernel, streams of node:zlib");
codecContract(kernelGzip, handmadeStreams, "gzip by the kernel, streams made by hand");
codecContract(kernelGzip, commandStreams, "gzip by the kernel, streams of programs");
