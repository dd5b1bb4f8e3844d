-- Three users and twelve prospects, inserted through the users' views.
-- The last two digits of a phone number select the simulator's scenario. {soon} is a time shortly after the start.

INSERT INTO "Plan" (id, name, price, minutes, duration, perDay) VALUES ('plan1-id', 'Basic', 10.0, 600, 30, 10);
INSERT INTO "Plan" (id, name, price, minutes, duration, perDay) VALUES ('plan2-id', 'Small', 5.0, 60, 30, 5);

-- User1: five new prospects.
INSERT INTO "User" (id, name, email, clerkId, createdAt, updatedAt) VALUES ('user1-id', 'User1', 'user1@example.com', 'clerk1', NOW(), NOW());
INSERT INTO "Setting" (id, userId, theme) VALUES ('setting1-id', 'user1-id', 'LIGHT');
INSERT INTO "AdvancedSetting" (id, settingId, timeZone, startAt, endAt) VALUES ('adv1-id', 'setting1-id', 'America/New_York', '2025-02-25 09:00:00', '2025-02-25 17:00:00');
INSERT INTO "ScriptSetting" (id, settingId, initial, followUp) VALUES ('script1-id', 'setting1-id', 'Hello {prospectName}, {userName} asked me to find a time for a short meeting.', 'Hi {prospectName}, calling back as we agreed.');
INSERT INTO "AgentSetting" (id, settingId, language, voice, firstMessage) VALUES ('agent1-id', 'setting1-id', 'en', 'female', 'Hi {prospectName}');
INSERT INTO "Subscription" (id, userId, planId, minutesLeft, status) VALUES ('sub1-id', 'user1-id', 'plan1-id', 600, 'ACTIVE');
INSERT INTO "Prospect" (id, name, phone, userId, status, lastContacted, rescheduledFor) VALUES ('p1-id', 'Ada', '+12125550101', 'user1-id', 'INITIAL', NULL, NULL);
INSERT INTO "Prospect" (id, name, phone, userId, status, lastContacted, rescheduledFor) VALUES ('p2-id', 'Ben', '+12125550112', 'user1-id', 'INITIAL', NULL, NULL);
INSERT INTO "Prospect" (id, name, phone, userId, status, lastContacted, rescheduledFor) VALUES ('p3-id', 'Cleo', '+12125550123', 'user1-id', 'INITIAL', NULL, NULL);
INSERT INTO "Prospect" (id, name, phone, userId, status, lastContacted, rescheduledFor) VALUES ('p4-id', 'Dan', '+12125550134', 'user1-id', 'INITIAL', NULL, NULL);
INSERT INTO "Prospect" (id, name, phone, userId, status, lastContacted, rescheduledFor) VALUES ('p5-id', 'Eve', '+12125550145', 'user1-id', 'INITIAL', NULL, NULL);

-- User2: one requested callback; nobody answers the other numbers.
INSERT INTO "User" (id, name, email, clerkId, createdAt, updatedAt) VALUES ('user2-id', 'User2', 'user2@example.com', 'clerk2', NOW(), NOW());
INSERT INTO "Setting" (id, userId, theme) VALUES ('setting2-id', 'user2-id', 'DARK');
INSERT INTO "AdvancedSetting" (id, settingId, timeZone, startAt, endAt) VALUES ('adv2-id', 'setting2-id', 'America/New_York', '2025-02-25 09:30:00', '2025-02-25 16:00:00');
INSERT INTO "ScriptSetting" (id, settingId, initial, followUp) VALUES ('script2-id', 'setting2-id', 'Good morning {prospectName}.', 'Good morning {prospectName}, you asked me to call again.');
INSERT INTO "AgentSetting" (id, settingId, language, voice, firstMessage) VALUES ('agent2-id', 'setting2-id', 'en', 'male', 'Hello {prospectName}');
INSERT INTO "Subscription" (id, userId, planId, minutesLeft, status) VALUES ('sub2-id', 'user2-id', 'plan2-id', 60, 'ACTIVE');
INSERT INTO "Prospect" (id, name, phone, userId, status, lastContacted, rescheduledFor) VALUES ('p6-id', 'Finn', '+12025550102', 'user2-id', 'RESCHEDULED', '2025-02-20 15:00:00+00', '{soon}');
INSERT INTO "Prospect" (id, name, phone, userId, status, lastContacted, rescheduledFor) VALUES ('p7-id', 'Gus', '+12025550156', 'user2-id', 'INITIAL', NULL, NULL);
INSERT INTO "Prospect" (id, name, phone, userId, status, lastContacted, rescheduledFor) VALUES ('p8-id', 'Hal', '+12025550167', 'user2-id', 'NOT_RESPONDED', '2025-02-21 15:00:00+00', NULL);
INSERT INTO "Prospect" (id, name, phone, userId, status, lastContacted, rescheduledFor) VALUES ('p9-id', 'Ida', '+12025550178', 'user2-id', 'INITIAL', NULL, NULL);

-- User3: in another time zone.
INSERT INTO "User" (id, name, email, clerkId, createdAt, updatedAt) VALUES ('user3-id', 'User3', 'user3@example.com', 'clerk3', NOW(), NOW());
INSERT INTO "Setting" (id, userId, theme) VALUES ('setting3-id', 'user3-id', 'LIGHT');
INSERT INTO "AdvancedSetting" (id, settingId, timeZone, startAt, endAt) VALUES ('adv3-id', 'setting3-id', 'America/Chicago', '2025-02-25 08:00:00', '2025-02-25 18:00:00');
INSERT INTO "ScriptSetting" (id, settingId, initial, followUp) VALUES ('script3-id', 'setting3-id', 'Hello {prospectName}.', 'Hello again {prospectName}.');
INSERT INTO "AgentSetting" (id, settingId, language, voice, firstMessage) VALUES ('agent3-id', 'setting3-id', 'en', 'female', 'Hi {prospectName}');
INSERT INTO "Subscription" (id, userId, planId, minutesLeft, status) VALUES ('sub3-id', 'user3-id', 'plan2-id', 30, 'ACTIVE');
INSERT INTO "Prospect" (id, name, phone, userId, status, lastContacted, rescheduledFor) VALUES ('p10-id', 'Jo', '+13125550189', 'user3-id', 'INITIAL', NULL, NULL);
INSERT INTO "Prospect" (id, name, phone, userId, status, lastContacted, rescheduledFor) VALUES ('p11-id', 'Kim', '+13125550193', 'user3-id', 'FAILED', '2025-02-20 15:00:00+00', NULL);
INSERT INTO "Prospect" (id, name, phone, userId, status, lastContacted, rescheduledFor) VALUES ('p12-id', 'Lou', '+13125550105', 'user3-id', 'INITIAL', NULL, NULL);
