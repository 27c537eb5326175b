"""The people of the demonstration. Their passwords are made at the first start and kept with the other secrets."""

from dataclasses import dataclass

from local import secrets
from local.paths import state_directory


@dataclass(frozen=True)
class DemoPerson:
    email: str
    full_name: str
    role: str  # as in `profiles.role`: admin or user

    @property
    def password(self) -> str:
        return secrets.load(state_directory() / secrets.FILE_NAME, EMAILS).demo_passwords[self.email]


ADMIN = DemoPerson("mara@atelier.example", "Mara Costa", "admin")
MARKETER = DemoPerson("jonas@atelier.example", "Jonas Weber", "user")
SOCIAL = DemoPerson("lea@atelier.example", "Lea Martin", "user")
APPLICANT = DemoPerson("tom@atelier.example", "Tom Okafor", "user")  # waits for approval
PEOPLE = (ADMIN, MARKETER)  # whom one signs in as
EMAILS = tuple(person.email for person in (*PEOPLE, SOCIAL, APPLICANT))
