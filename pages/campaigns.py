"""Campaigns: all of them, or the one that the address names."""

from ui import campaign_address, campaign_list, campaign_page, guard

person = guard.require()
wanted = campaign_address.campaign()
if wanted is None:
    campaign_list.draw(person)
else:
    campaign_page.draw(person, wanted)
