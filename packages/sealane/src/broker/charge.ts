/** Charges what a put takes, and makes room where consumers that are behind stand in its way. Owns nothing. */
import type { Account, Charge } from './quota.js';
import type { Services } from './services.js';

/**
 * Charges an account; where that does not fit, watches that keep dropped objects for consumers that are behind have to give way.
 * Throws ERR_SEALANE_LIMIT_EXCEEDED when it does not fit even then.
 */
export function chargeOrShed({ quota, watches }: Services, account: Account, charge: Charge): void {
  for (;;) {
    try {
      quota.charge(account, charge);
      return;
    } catch (error) {
      if (!watches.shed(account)) throw error;
    }
  }
}
