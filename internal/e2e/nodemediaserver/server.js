// Starts Node-Media-Server with the configuration of its one argument, as JSON.
const NodeMediaServer = require('node-media-server');

new NodeMediaServer(JSON.parse(process.argv[2])).run();
