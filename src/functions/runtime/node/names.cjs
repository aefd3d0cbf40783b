'use strict';
// Stands before the client. Where a worker shares the host's network, connections to AWS's names are turned to the platform, whose
// ports and names the engine tells at start; elsewhere the worker's own network does that (src/functions/network). Child processes
// and worker threads are not covered.
(() => {
  const told = process.env._PARVIS_AWS;
  delete process.env._PARVIS_AWS;
  if (!told) return;
  const [plainPort, securedPort, ...domains] = told.split(',');
  const plain = Number(plainPort);
  const secured = Number(securedPort);
  const ours = new RegExp(`(^|\\.)(${domains.join('|').replaceAll('.', '\\.')})\\.?$`, 'i');
  const prefixed = /[-.]127\.0\.0\.1$/;  // what SDKs make of the platform's address and a host prefix
  const turn = (options) => {
    const host = options.host;
    if (options.path || typeof host !== 'string') return options;
    if (ours.test(host)) return { ...options, host: '127.0.0.1', port: Number(options.port) === 443 ? secured : plain };
    return prefixed.test(host) ? { ...options, host: '127.0.0.1' } : options;
  };
  const { Socket } = require('node:net');
  const connect = Socket.prototype.connect;
  Socket.prototype.connect = function (...given) {
    const first = given[0];
    if (Array.isArray(first) && first[0] !== null && typeof first[0] === 'object') first[0] = turn(first[0]);  // as net.connect() hands it on
    else if (first !== null && typeof first === 'object' && !Array.isArray(first)) given[0] = turn(first);
    else if (typeof given[1] === 'string') {
      const turned = turn({ port: first, host: given[1] });
      given.splice(0, 2, turned.port, turned.host);
    }
    return connect.apply(this, given);
  };
})();
