/**
 * Where this package lies. The one file that is CommonJS in both builds of the library: `import.meta` does not exist in one of
 * them and `__dirname` not in the other.
 */
import path = require('node:path');

/** The absolute path of the folder that holds package.json. */
export = path.join(__dirname, '..', '..');
