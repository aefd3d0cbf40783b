'use strict';
// The Node.js side of a worker: one process, one function version, one call at a time. Frames are described in
// src/functions/README.md. While no call runs the process blocks in a read, as Lambda freezes an idle environment.
// Behaviour follows the public contract of Lambda's Node.js runtimes (Developer Guide: "Define Lambda function handler
// in Node.js", "Using the context object", "Errors"), including the text log format and the names of errors.
const fs = require('node:fs');
const path = require('node:path');
const util = require('node:util');
const nodeModule = require('node:module');
const { fileURLToPath, pathToFileURL } = require('node:url');
const { Writable } = require('node:stream');

const CHANNEL = 3;
const ANSWERS = 4;
const HEADER_BYTES = 6;  // u32 body length, u8 type, u8 flags
const FLAG_LOGGED = 1;   // a mark stands in the log pipe
const FLAG_EXITING = 2;  // the process ends after this answer
const RESPONSE_BYTES_MAX = 6291556;
const FRAME_BYTES_MAX = 16 << 20;
const PIECE_BYTES_MAX = 64 << 10;
const realExit = process.reallyExit.bind(process);
const hardExit = (code) => realExit(code);

// --- the channel -------------------------------------------------------------------------------------------------
const PACKET_BYTES = 16 << 10;  // a read must have room for this, or the rest of the packet is lost
let inBuffer = Buffer.allocUnsafeSlow(64 << 10);
let inStart = 0;
let inEnd = 0;
let outBuffer = Buffer.allocUnsafeSlow(64 << 10);

function fillTo(count) {
  const room = count + PACKET_BYTES;
  if (inEnd - inStart < count && inStart + room > inBuffer.length) {
    const bigger = room > inBuffer.length ? Buffer.allocUnsafeSlow(room) : inBuffer;
    inBuffer.copy(bigger, 0, inStart, inEnd);
    inBuffer = bigger;
    inEnd -= inStart;
    inStart = 0;
  }
  while (inEnd - inStart < count) {
    const got = fs.readSync(CHANNEL, inBuffer, inEnd, inBuffer.length - inEnd, null);
    if (got === 0) hardExit(0);  // the engine is gone
    inEnd += got;
  }
}

function readFrame() {
  fillTo(HEADER_BYTES);
  const length = inBuffer.readUInt32LE(inStart);
  const type = inBuffer[inStart + 4];
  if (length > FRAME_BYTES_MAX) hardExit(70);
  inStart += HEADER_BYTES;
  fillTo(length);
  const start = inStart;
  inStart += length;
  const frame = { type, start, end: inStart };
  if (inStart === inEnd) inStart = inEnd = 0;  // the bytes stay valid until the next read
  return frame;
}

function writeAll(fd, buffer, length) {
  for (let at = 0; at < length;) {
    try {
      at += fs.writeSync(fd, buffer, at, length - at);
    } catch (error) {
      if (error.code !== 'EAGAIN') return false;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
  return true;
}

function sendFrame(type, flags, text) {
  const most = HEADER_BYTES + text.length * 3;
  const buffer = most <= outBuffer.length ? outBuffer : Buffer.allocUnsafe(HEADER_BYTES + Buffer.byteLength(text));
  const length = buffer.write(text, HEADER_BYTES, 'utf8');
  buffer.writeUInt32LE(length, 0);
  buffer[4] = type.charCodeAt(0);
  buffer[5] = flags;
  if (!writeAll(ANSWERS, buffer, HEADER_BYTES + length)) hardExit(70);
}

function sendBytes(type, bytes) {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.writeUInt32LE(bytes.length, 0);
  header[4] = type.charCodeAt(0);
  header[5] = 0;
  if (!writeAll(ANSWERS, header, HEADER_BYTES) || !writeAll(ANSWERS, bytes, bytes.length)) hardExit(70);
}

// --- what the function prints ------------------------------------------------------------------------------------
// A description of its own, so that it stays blocking whatever the function does to file descriptors 1 and 2.
let logFd = 1;
try {
  logFd = fs.openSync('/proc/self/fd/1', fs.constants.O_WRONLY);
} catch {}
let requestId;
let logged = false;
let logMark = '';

function print(chunk, encoding) {
  logged = true;
  const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk;
  writeAll(logFd, bytes, bytes.length);
}

// JSON logs, by the variables that Lambda sets from the function's LoggingConfig.
const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
let jsonLogs = false;
let levelMin = 0;

function chooseLogFormat() {
  jsonLogs = process.env.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === 'JSON';
  levelMin = jsonLogs ? Math.max(0, LEVELS.indexOf(process.env.AWS_LAMBDA_LOG_LEVEL?.toUpperCase())) : 0;
}

const errorFields = (error) => ({
  errorType: error.constructor?.name ?? 'UnknownError',
  errorMessage: error.message,
  stackTrace: typeof error.stack === 'string' ? error.stack.split('\n') : [],
});

// One argument stays what it is; several become one text, and the first error among them is told apart.
function jsonLine(level, args) {
  const line = { timestamp: new Date().toISOString(), level, requestId };
  if (args.length > 1) {
    const error = args.slice(1).find((value) => value instanceof Error);
    return JSON.stringify({ ...line, message: util.format(...args), ...(error && errorFields(error)) });
  }
  try {
    return JSON.stringify({ ...line, message: args[0] }, (_key, value) => (value instanceof Error ? { ...errorFields(value), ...value } : value));
  } catch {
    return JSON.stringify({ ...line, message: util.format(args[0]) });
  }
}

function logLine(level, args) {
  if (jsonLogs) {
    if (LEVELS.indexOf(level) >= levelMin) print(jsonLine(level, args) + '\n', 'utf8');
    return;
  }
  const message = util.format(...args);
  const line = `${new Date().toISOString()}\t${requestId}\t${level}\t${message}`;
  print((line.includes('\n') ? line.replace(/\r?\n/g, '\r') : line) + '\n', 'utf8');
}

function patchOutput() {
  for (const [method, level] of [['log', 'INFO'], ['info', 'INFO'], ['debug', 'DEBUG'], ['warn', 'WARN'],
    ['error', 'ERROR'], ['trace', 'TRACE'], ['fatal', 'FATAL']]) {
    console[method] = (...args) => logLine(level, args);
  }
  for (const [name, fd] of [['stdout', 1], ['stderr', 2]]) {
    const stream = new Writable({
      decodeStrings: false,
      write(chunk, encoding, done) {
        print(chunk, encoding);
        done();
      },
    });
    stream.fd = fd;
    stream._type = 'pipe';
    stream.destroySoon = stream.destroy = () => stream;
    Object.defineProperty(process, name, { configurable: true, enumerable: true, get: () => stream });
  }
}

function takeMark() {
  if (!logged) return 0;
  logged = false;
  print(logMark, 'latin1');
  logged = false;
  return FLAG_LOGGED;
}

// --- errors ------------------------------------------------------------------------------------------------------
const runtimeError = (name) => {
  const Kind = { [name]: class extends Error {} }[name];
  Kind.prototype.name = `Runtime.${name}`;
  return Kind;
};
const ImportModuleError = runtimeError('ImportModuleError');
const HandlerNotFound = runtimeError('HandlerNotFound');
const MalformedHandlerName = runtimeError('MalformedHandlerName');
const UserCodeSyntaxError = runtimeError('UserCodeSyntaxError');
const InvalidStreamingOperation = runtimeError('InvalidStreamingOperation');
const MalformedStreamingHandler = runtimeError('MalformedStreamingHandler');
const NodeJsExit = runtimeError('NodeJsExit');
const UnhandledPromiseRejection = runtimeError('UnhandledPromiseRejection');

const looksLikeError = (value) => util.types.isNativeError(value) ||
  (value && ['name', 'message', 'stack'].every((key) => typeof value[key] === 'string' && value[key] !== ''));

// The answer of a failed call: {errorType, errorMessage, trace}.
function describeError(error) {
  try {
    if (looksLikeError(error)) {
      return { errorType: error.name, errorMessage: error.message, trace: String(error.stack).split('\n') };
    }
    return { errorType: typeof error, errorMessage: error.toString(), trace: [] };
  } catch {
    return {
      errorType: 'handled',
      errorMessage: 'callback called with Error argument, but there was a problem while retrieving one or more of ' +
        'its message, name, and stack',
    };
  }
}

// The same error in the log: all of its own properties too.
function errorText(error) {
  const spread = (_key, value) => {
    if (!(value instanceof Error)) return value;
    const shown = { errorType: value.name, errorMessage: value.message, code: value.code, ...value };
    if (typeof value.stack === 'string') shown.stack = value.stack.split('\n');
    return shown;
  };
  try {
    return '\t' + JSON.stringify(error, spread);
  } catch {
    return '\t' + JSON.stringify(describeError(error));
  }
}

// What the runtime itself says of an error.
function logError(title, error) {
  if (jsonLogs) console.error(error instanceof Error ? error : new Error(String(error)));
  else console.error(title, errorText(error));
}

// --- stack traces --------------------------------------------------------------------------------------------------
// Stacks name the lines of the sources. A map is read when a stack is looked at that needs it: Node.js's own support reads the map of
// every file with the file, which takes as long as loading a bundle with its compiled code.
const sourceMaps = new Map();  // by file: {map, folder}, or nothing

function mapOf(file) {
  if (sourceMaps.has(file)) return sourceMaps.get(file);
  sourceMaps.set(file, undefined);  // also for an error that this itself makes
  try {
    const text = fs.readFileSync(file, 'utf8');
    const at = text.lastIndexOf('\n//# sourceMappingURL=');
    if (at < 0) return undefined;
    const url = text.slice(at + 22).split('\n', 1)[0].trim();
    const inline = /^data:application\/json[^,]*;base64,/.exec(url);
    const json = inline ? Buffer.from(url.slice(inline[0].length), 'base64').toString() : fs.readFileSync(path.resolve(path.dirname(file), decodeURI(url)), 'utf8');
    sourceMaps.set(file, { map: new nodeModule.SourceMap(JSON.parse(json)), folder: path.dirname(file) });
  } catch {}  // without a map the line says where it is
  return sourceMaps.get(file);
}

function placeOf(frame) {
  const name = frame.getFileName();
  if (typeof name !== 'string' || !(name.startsWith('/') || name.startsWith('file:///'))) return undefined;
  const found = mapOf(name.startsWith('/') ? name : fileURLToPath(name));
  const entry = found?.map.findEntry(frame.getLineNumber() - 1, frame.getColumnNumber() - 1);
  if (!entry?.originalSource) return undefined;
  const source = entry.originalSource.startsWith('file:') ? fileURLToPath(entry.originalSource) : path.resolve(found.folder, entry.originalSource);
  return [`${name}:${frame.getLineNumber()}:${frame.getColumnNumber()}`, `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`];
}

function mapStacks() {
  const plain = Error.prepareStackTrace;
  if (typeof plain !== 'function') return process.setSourceMapsEnabled(true);  // Node.js 18
  Error.prepareStackTrace = (error, frames) => {
    const text = plain(error, frames);
    if (typeof text !== 'string' || !Array.isArray(frames)) return text;
    const lines = text.split('\n');
    const first = lines.length - frames.length;
    frames.forEach((frame, index) => {
      const place = placeOf(frame);
      if (place && first + index >= 0) lines[first + index] = lines[first + index].replace(place[0], () => place[1]);
    });
    return lines.join('\n');
  };
}

// --- loading -----------------------------------------------------------------------------------------------------
let handler;
let environment = {};

// Functions see the process's variables through an object that holds the same and passes changes on. It alone has the trace header,
// which changes with every call: the C library keeps each value that a variable ever had, so a busy process would grow without end.
// Differs from AWS: native code and worker threads do not see _X_AMZN_TRACE_ID, and process.env cannot be cloned by structuredClone().
let variables;
let shownVariables;
function showVariables() {
  const real = process.env;
  variables = { ...real };
  const follow = (name) => {
    const value = real[name];
    if (value === undefined) delete variables[name];
    else variables[name] = value;
  };
  process.env = shownVariables = new Proxy(variables, {
    set(_target, name, value) {
      real[name] = value;  // throws what it always throws
      follow(name);
      return true;
    },
    defineProperty(_target, name, descriptor) {
      Object.defineProperty(real, name, descriptor);
      follow(name);
      return true;
    },
    deleteProperty(_target, name) {
      delete real[name];
      delete variables[name];
      return true;
    },
  });
}

function setTrace(trace) {
  const seen = process.env === shownVariables ? variables : process.env;  // a function may have put another object there
  if (trace) seen._X_AMZN_TRACE_ID = trace;
  else delete seen._X_AMZN_TRACE_ID;
}

function packageIsModule(folder) {
  for (;; folder = path.dirname(folder)) {
    if (path.basename(folder) === 'node_modules') return false;
    try {
      return JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8')).type === 'module';
    } catch (error) {
      if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') return false;
    }
    if (folder === path.dirname(folder)) return false;
  }
}

// ECMAScript modules do not look at NODE_PATH, so bare names that the bundle lacks are looked up in the SDK folder.
function resolveSdkForModules(sdkDir) {
  const parentURL = pathToFileURL(path.join(path.dirname(sdkDir), 'sdk.mjs')).href;
  nodeModule.registerHooks?.({
    resolve(specifier, context, nextResolve) {
      try {
        return nextResolve(specifier, context);
      } catch (error) {
        if (!/^(@[^/]+\/)?[A-Za-z0-9_-][^:]*$/.test(specifier)) throw error;
        try {
          return nextResolve(specifier, { ...context, parentURL });
        } catch {
          throw error;
        }
      }
    },
  });
}

async function importFile(file, sdkDir) {
  if (sdkDir) resolveSdkForModules(sdkDir);
  return import(pathToFileURL(file).href);
}

// Handlers that are TypeScript sources. Types are taken away file by file; enums and parameter properties work, stack traces name the
// source's lines. What is imported without an ending, or as .js, is looked for as .ts too.
// Differs from AWS: Lambda finds no handler in a .ts file.
const TYPESCRIPT = /\.[cm]?ts$/;

function withoutTypes(file, source) {
  const warn = process.emitWarning;
  process.emitWarning = () => {};  // that this is experimental in some versions
  try {
    return nodeModule.stripTypeScriptTypes(source, { mode: 'transform', sourceMap: true, sourceUrl: pathToFileURL(file).href });
  } catch (error) {
    if (error.code !== 'ERR_INVALID_TYPESCRIPT_SYNTAX' && error.code !== 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') throw error;
    throw new SyntaxError(`${file}: ${error.message}`);
  } finally {
    process.emitWarning = warn;
  }
}

function loadTypeScript(handlerFile) {
  if (!nodeModule.stripTypeScriptTypes || !nodeModule.registerHooks) {
    throw new ImportModuleError(`Cannot load ${path.basename(handlerFile)}: Node.js ${process.versions.node} does not run TypeScript sources. ` +
      'Use nodejs22.x or later, or bundle the function');
  }
  process.setSourceMapsEnabled(true);  // the maps of these sources are made as they are loaded
  nodeModule.registerHooks({
    resolve(specifier, context, nextResolve) {
      try {
        return nextResolve(specifier, context);
      } catch (error) {
        if (!/^\.{0,2}\//.test(specifier) && !specifier.startsWith('file:')) throw error;
        const stem = specifier.replace(/\.([cm]?)js$/, '');
        const endings = stem === specifier ? ['.ts', '.mts', '.cts', '.js', '/index.ts', '/index.js'] : [`.${specifier.at(-3) === '.' ? '' : specifier.at(-3)}ts`];
        for (const ending of endings) {
          try {
            return nextResolve(stem + ending, context);
          } catch {}
        }
        throw error;
      }
    },
    load(url, context, nextLoad) {
      if (!url.startsWith('file:') || !TYPESCRIPT.test(url)) return nextLoad(url, context);
      const file = fileURLToPath(url);
      const source = fs.readFileSync(file, 'utf8');
      const isModule = file.endsWith('.mts') || (!file.endsWith('.cts') && (packageIsModule(path.dirname(file)) || /^\s*(import|export)\b(?!\s*\()/m.test(source)));
      return { format: isModule ? 'module' : 'commonjs', source: withoutTypes(file, source), shortCircuit: true };
    },
  });
}

async function loadModule(root, folder, name, sdkDir) {
  const base = path.resolve(root, folder, name);
  if (fs.existsSync(base) && fs.statSync(base).isFile()) return require(base);
  const isModule = packageIsModule(path.dirname(base));
  if (fs.existsSync(`${base}.js`)) return isModule ? importFile(`${base}.js`, sdkDir) : require(`${base}.js`);
  if (fs.existsSync(`${base}.mjs`)) return importFile(`${base}.mjs`, sdkDir);
  if (fs.existsSync(`${base}.cjs`)) return require(`${base}.cjs`);
  const source = ['.ts', '.mts', '.cts'].map((ending) => base + ending).find((file) => fs.existsSync(file));
  if (source) {
    loadTypeScript(source);
    return importFile(source, sdkDir);
  }
  return require(require.resolve(name, { paths: [root, path.join(root, folder)] }));
}

async function findHandler(load) {
  const full = load.handler;
  if (full.includes('..')) {
    throw new MalformedHandlerName(`'${full}' is not a valid handler name. Use absolute paths when specifying root ` +
      'directories in handler names.');
  }
  const last = path.basename(full);
  const folder = full.slice(0, full.length - last.length);
  const dot = last.indexOf('.');
  if (dot < 0) throw new MalformedHandlerName('Bad handler');
  let exported;
  try {
    exported = await loadModule(load.codeDir, folder, last.slice(0, dot), load.sdkDir);
  } catch (error) {
    if (error instanceof SyntaxError) throw new UserCodeSyntaxError(error);
    if (error?.code === 'MODULE_NOT_FOUND') throw new ImportModuleError(error);
    throw error;
  }
  for (const key of last.slice(dot + 1).split('.')) exported = exported?.[key];
  if (!exported) throw new HandlerNotFound(`${full} is undefined or not exported`);
  if (typeof exported !== 'function') throw new HandlerNotFound(`${full} is not a function`);
  if (exported[STREAMING] !== undefined && exported[STREAMING] !== 'response') {
    throw new MalformedStreamingHandler('Only response streaming is supported.');
  }
  streams = exported[STREAMING] === 'response';
  return exported;
}

// --- streamed answers ------------------------------------------------------------------------------------------------
const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');
const PRELUDE_TYPE = 'application/vnd.awslambda.http-integration-response';
let streams = false;
globalThis.awslambda = {
  ...globalThis.awslambda,
  streamifyResponse(streamed, options) {
    streamed[STREAMING] = 'response';
    if (typeof options?.highWaterMark === 'number') streamed[HIGH_WATER_MARK] = Math.trunc(options.highWaterMark);
    return streamed;
  },
  HttpResponseStream: {
    // The first write is preceded by the prelude: JSON, then eight NUL bytes.
    from(stream, prelude) {
      stream.setContentType(PRELUDE_TYPE);
      stream._onBeforeFirstWrite = (write) => {
        write(JSON.stringify(prelude));
        write(new Uint8Array(8));
      };
      return stream;
    },
  },
};

// Bytes go out as they are written and writing blocks while the receiver is slow.
class ResponseStream extends Writable {
  #contentType = 'application/octet-stream';
  #started = false;
  #isCurrent;

  constructor(isCurrent) {
    const highWaterMark = handler[HIGH_WATER_MARK];
    super({ decodeStrings: true, ...(highWaterMark === undefined ? {} : { highWaterMark }) });
    this.#isCurrent = isCurrent;
  }

  get started() { return this.#started; }

  setContentType(contentType) {
    if (this.#started) throw new InvalidStreamingOperation('Cannot set content-type, too late.');
    this.#contentType = String(contentType);
  }

  start() {
    if (this.#started) return;
    this.#started = true;
    if (this.#isCurrent()) sendFrame('P', 0, this.#contentType);
    if (typeof this._onBeforeFirstWrite === 'function') {
      this._onBeforeFirstWrite((chunk) => this.send(typeof chunk === 'string' ? Buffer.from(chunk) : chunk));
    }
  }

  write(chunk, encoding, done) {
    const known = typeof chunk === 'string' || Buffer.isBuffer(chunk) || chunk instanceof Uint8Array;
    return super.write(known ? chunk : JSON.stringify(chunk), encoding, done);
  }

  send(bytes) {
    for (let at = 0; at < bytes.length && this.#isCurrent(); at += PIECE_BYTES_MAX) sendBytes('C', bytes.subarray(at, at + PIECE_BYTES_MAX));
  }

  _write(chunk, _encoding, done) {
    this.start();
    this.send(chunk);
    done();
  }

  _final(done) {
    this.start();
    done();
  }
}

function invokeStreaming(event, context, isCurrent) {
  const stream = new ResponseStream(isCurrent);
  let settled = false;
  const fail = (error) => {
    if (!isCurrent()) return;
    answerError(error);
    stream.destroy();
  };
  const complete = () => { if (settled && stream.writableFinished && isCurrent()) answer('O', ''); };
  stream.on('finish', complete);
  stream.on('error', fail);
  const result = handler(event, stream, context);
  if (typeof result?.then !== 'function') return fail(new Error('Streaming does not support non-async handlers.'));
  result.then((value) => {
    if (value !== undefined && isCurrent()) console.warn('Streaming handlers ignore return values.');
    settled = true;
    complete();
  }, fail);
}

async function load(request) {
  if (request.env) {
    for (const key of Object.keys(process.env)) if (!(key in request.env)) delete process.env[key];
    Object.assign(process.env, request.env);
    nodeModule._initPaths?.();  // NODE_PATH was read at the start
  } else {
    request.handler = process.env._HANDLER ?? request.handler;  // a wrapper script may have set its own
  }
  logMark = request.mark;
  chooseLogFormat();
  environment = {
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
  };
  try {
    process.chdir(request.codeDir);
    if (request.debug) openDebugger(request.debug);
    if (request.cacheDir) nodeModule.enableCompileCache?.(request.cacheDir);
    mapStacks();
    showVariables();
    handler = await findHandler(request);
  } catch (error) {
    logError(error instanceof Error && error.name?.startsWith('Runtime.') ? 'Undefined error' : 'Uncaught Exception', error);
    sendFrame('E', takeMark() | FLAG_EXITING, JSON.stringify(describeError(error)));
    hardExit(1);
  }
  sendFrame('R', takeMark(), '');
  serve();
}

// --- a debugger --------------------------------------------------------------------------------------------------
// It is answered from the event loop, so a debugged worker waits for messages there: between calls timers run.
let debugChannel = null;

function openDebugger({ wait }) {
  const inspector = require('node:inspector');
  try {
    if (!inspector.url()) inspector.open(0, '127.0.0.1');
  } catch (error) {
    return sendFrame('N', 0, error.message);
  }
  sendFrame('N', 0, new URL(inspector.url()).port);
  const socket = new (require('node:net').Socket)({ fd: CHANNEL, readable: true, writable: false });
  let idle = false;
  socket.on('data', (bytes) => {
    fillWith(bytes);
    if (idle) serve();
  });
  for (const end of ['error', 'close']) socket.on(end, () => hardExit(0));  // the engine is gone
  debugChannel = {
    // True when a whole message is there; else the event loop is kept alive until one is.
    listens() {
      idle = inEnd - inStart < HEADER_BYTES || inEnd - inStart < HEADER_BYTES + inBuffer.readUInt32LE(inStart);
      if (idle) socket.ref();
      else socket.unref();
      return !idle;
    },
  };
  if (wait) inspector.waitForDebugger();
}

function fillWith(bytes) {
  const held = inBuffer.subarray(inStart, inEnd);
  if (held.length + bytes.length > inBuffer.length) inBuffer = Buffer.allocUnsafeSlow(2 * (held.length + bytes.length));
  held.copy(inBuffer, 0);
  bytes.copy(inBuffer, held.length);
  inStart = 0;
  inEnd = held.length + bytes.length;
}

// --- calls -------------------------------------------------------------------------------------------------------
let answered = true;   // no call is open
let whenEmpty = null;  // what to do when the event loop has nothing left
let flushed = false;
let callCount = 0;
process.on('beforeExit', () => {
  const action = whenEmpty;
  whenEmpty = null;
  if (action) setImmediate(action);
});

function answer(type, text, flags = 0) {
  if (answered) return;
  answered = true;
  whenEmpty = null;
  sendFrame(type, takeMark() | flags, text);
  if (flags & FLAG_EXITING) return;
  setImmediate(afterCall);
}

function afterCall() {
  if (!flushed) {  // the compiled code now holds what the first call needed
    flushed = true;
    try {
      nodeModule.flushCompileCache?.();
    } catch {}
  }
  serve();
}

function answerError(error) {
  if (answered) return;
  logError('Invoke Error', error instanceof Error ? error : new Error(error));
  answer('F', JSON.stringify(describeError(error)));
}

function answerValue(value) {
  if (answered) return;
  let text;
  try {
    text = JSON.stringify(value === undefined ? null : value);
  } catch {
    return answerError(new Error('Unable to stringify response body'));
  }
  if (text === undefined) text = 'null';  // a function or a symbol
  if (text.length * 3 > RESPONSE_BYTES_MAX && Buffer.byteLength(text) > RESPONSE_BYTES_MAX) {
    const failure = {
      errorType: 'Function.ResponseSizeTooLarge',
      errorMessage: `Response payload size exceeded maximum allowed payload size (${RESPONSE_BYTES_MAX} bytes).`,
    };
    return answer('F', JSON.stringify(failure));
  }
  answer('O', text);
}

function makeContext(call, deadline, isCurrent) {
  const done = (error, value) => {
    if (!isCurrent()) return;
    if (error !== undefined && error !== null) answerError(error);
    else answerValue(value);
  };
  const context = {
    callbackWaitsForEmptyEventLoop: true,
    succeed: (value) => done(null, value),
    fail: (error) => done(error === undefined || error === null ? 'handled' : error),
    done,
    functionVersion: environment.functionVersion,
    functionName: environment.functionName,
    memoryLimitInMB: environment.memoryLimitInMB,
    logGroupName: environment.logGroupName,
    logStreamName: environment.logStreamName,
    clientContext: call.clientContext ? JSON.parse(call.clientContext) : undefined,
    identity: undefined,
    invokedFunctionArn: call.arn,
    awsRequestId: call.id,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
  const callback = (error, value) => {
    if (!isCurrent() || answered) return;
    if (error !== undefined && error !== null) answerError(error);
    else if (context.callbackWaitsForEmptyEventLoop) whenEmpty = () => { if (isCurrent()) answerValue(value); };
    else setImmediate(() => { if (isCurrent()) answerValue(value); });
  };
  return [context, callback];
}

function invoke(frame) {
  const metaBytes = inBuffer.readUInt32LE(frame.start);
  const metaEnd = frame.start + 4 + metaBytes;
  const call = JSON.parse(inBuffer.toString('utf8', frame.start + 4, metaEnd));
  const payload = inBuffer.toString('utf8', metaEnd, frame.end);
  const deadline = Date.now() + call.timeoutMs;
  requestId = call.id;
  setTrace(call.trace);
  answered = false;
  logged = false;
  const mine = (callCount += 1);  // a retried call has the same request id, so the id does not tell calls apart
  const isCurrent = () => callCount === mine && !answered;
  whenEmpty = () => {
    if (!isCurrent()) return;
    if (streams || handler.constructor?.name === 'AsyncFunction') {
      answerError(new NodeJsExit('The Lambda runtime client detected an unexpected Node.js exit code. This is most ' +
        'commonly caused by a Promise that was never settled. For more information, see ' +
        'https://nodejs.org/docs/latest/api/process.html#exit-codes'));
    } else {
      answerValue(null);
    }
  };
  let callback;
  try {
    const [context, back] = makeContext(call, deadline, isCurrent);
    callback = back;
    const event = payload === '' ? undefined : JSON.parse(payload);
    if (streams) return invokeStreaming(event, context, isCurrent);
    const result = handler(event, context, callback);
    if (typeof result?.then === 'function') result.then(context.succeed, context.fail).catch(context.fail);
  } catch (error) {
    if (callback) callback(error ?? 'handled');
    else answerError(error);
  }
}

function serve() {
  if (debugChannel && !debugChannel.listens()) return;
  const frame = readFrame();
  switch (String.fromCharCode(frame.type)) {
    case 'I': return invoke(frame);
    case 'L': return void load(JSON.parse(inBuffer.toString('utf8', frame.start, frame.end)));
    case 'T': return sayGoodbye();
    default: return hardExit(70);
  }
}

// The engine ends this environment: what listens for SIGTERM gets Lambda's shutdown phase.
function sayGoodbye() {
  if (process.listenerCount('SIGTERM') === 0) return hardExit(0);
  whenEmpty = () => hardExit(0);
  process.emit('SIGTERM', 'SIGTERM', 15);
}

function failHard(title, error, exitCode) {
  logError(title, error);
  if (handler === undefined) {
    sendFrame('E', takeMark() | FLAG_EXITING, JSON.stringify(describeError(error)));
  } else {
    answer('F', JSON.stringify(describeError(error)), FLAG_EXITING);
  }
  hardExit(exitCode);
}
process.on('uncaughtException', (error) => failHard('Uncaught Exception', error, 129));
process.on('unhandledRejection', (reason, promise) => {
  const error = new UnhandledPromiseRejection(reason);
  error.reason = reason;
  error.promise = promise;
  failHard('Unhandled Promise Rejection', error, 128);
});

// --- boot --------------------------------------------------------------------------------------------------------
// What nearly every function loads is loaded before there is a function.
for (const name of ['async_hooks', 'buffer', 'child_process', 'crypto', 'dns', 'events', 'fs/promises', 'http', 'http2', 'https',
  'net', 'os', 'process', 'stream', 'stream/web', 'string_decoder', 'timers/promises', 'tls', 'zlib']) {
  try {
    require(`node:${name}`);
  } catch {}
}
void globalThis.Response;
void globalThis.crypto;  // a getter, too
patchOutput();
sendFrame('H', 0, '');
serve();
